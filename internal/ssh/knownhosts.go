package ssh

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format has no other hash
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"mbl/internal/ssh/sshconfig"
)

// maxKnownHostsSize bounds a known_hosts file.
const maxKnownHostsSize = 64 << 20

// knownLine is one line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT).
type knownLine struct {
	file   string
	number int
	marker string // @cert-authority, @revoked or empty
	hosts  string // patterns with commas, or a hash
	key    ssh.PublicKey
	fault  error // why the line cannot be used; key is nil
}

const (
	markerAuthority = "@cert-authority"
	markerRevoked   = "@revoked"
)

func (l knownLine) place() string { return fmt.Sprintf("%s:%d", l.file, l.number) }

// knownLines reads the files; missing ones are empty. A line that cannot be
// read stays in the list with its fault.
func knownLines(files []string) ([]knownLine, error) {
	var lines []knownLine
	for _, file := range files {
		content, err := readBounded(file, maxKnownHostsSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, parseKnownHosts(file, content)...)
	}
	return lines, nil
}

// readBounded reads a regular file that is not larger than limit.
func readBounded(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file) // before it is opened: a pipe would block
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return nil, fmt.Errorf("%s is not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is too large", file)
	}
	return content, err
}

func parseKnownHosts(file string, content []byte) []knownLine {
	var lines []knownLine
	number := 0
	for text := range bytes.Lines(content) {
		number++
		fields := strings.Fields(string(text))
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		line := knownLine{file: file, number: number}
		if !line.parse(fields) {
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

// parse fills the line; false for a key of a kind that no login here could use.
func (l *knownLine) parse(fields []string) (usable bool) {
	if fields[0][0] == '@' {
		l.marker, fields = fields[0], fields[1:]
	}
	if len(fields) > 0 {
		l.hosts = fields[0]
	}
	switch {
	case l.marker != "" && l.marker != markerAuthority && l.marker != markerRevoked:
		l.fault = fmt.Errorf("the marker %s is not known", l.marker)
		return true
	case len(fields) < 3:
		l.fault = errors.New("a host, a key type and a key belong there")
		return true
	}
	blob, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		l.fault = errors.New("the key is not base64")
		return true
	}
	if wireType(blob) != fields[1] {
		l.fault = errors.New("the key is not of the type that is said")
		return true
	}
	l.key, err = ssh.ParsePublicKey(blob)
	if err != nil && !usualKeyType(fields[1]) {
		return false
	}
	l.fault = err
	return true
}

// wireType is the name a public key begins with (RFC 4253, section 6.6).
func wireType(blob []byte) string {
	if len(blob) < 4 {
		return ""
	}
	length := uint64(binary.BigEndian.Uint32(blob))
	if length > uint64(len(blob)-4) {
		return ""
	}
	return string(blob[4 : 4+length])
}

func usualKeyType(name string) bool {
	switch name {
	case ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return true
	default:
		return false
	}
}

// names tells whether the line is about a host: a name, or [name]:port for
// ports other than 22, in lower case.
func (l knownLine) names(host string) bool {
	if strings.HasPrefix(l.hosts, "|") {
		return hashedName(l.hosts, host)
	}
	return sshconfig.MatchList(strings.Split(strings.ToLower(l.hosts), ","), host)
}

// hashedName compares a name with |1|SALT|HASH.
func hashedName(hashed, host string) bool {
	parts := strings.Split(hashed, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	_, _ = io.WriteString(mac, host)
	return hmac.Equal(mac.Sum(nil), want)
}

// mayName tells whether a line that cannot be used may have been about a host.
func (l knownLine) mayName(host string) bool {
	return l.hosts == "" || l.names(host)
}

// wide tells whether the line is about more hosts than one, so that
// ssh-keygen -R would not take it away.
func (l knownLine) wide() bool {
	return l.marker != "" || strings.ContainsAny(l.hosts, "*?!")
}

// knownName is how known_hosts files call an address.
func knownName(address string) string {
	return strings.ToLower(xknownhosts.Normalize(address))
}

// plainName is the same without the port, for entries that mean every port;
// empty if there is no port in it.
func plainName(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "22" {
		return ""
	}
	return strings.ToLower(host)
}
