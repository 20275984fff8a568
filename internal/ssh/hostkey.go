package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// HostKey is a key that a device showed.
type HostKey struct {
	Host        string // as in known_hosts: name or address, [..]:port for other ports
	Type        string // for example ssh-ed25519
	Fingerprint string // SHA256:…, as ssh-keygen prints it
	File        string // the known_hosts file that would keep it
}

// hostKeys decides about the host key of one connection.
type hostKeys struct {
	name  string // of the host in known_hosts files
	plain string // the same without its port; empty if there is none
	lines []knownLine
	file  string // takes new keys; empty: nowhere to keep them
	hash  bool   // new keys are kept without the host's name

	offered []string // host key algorithms of the configuration; nil: all usual ones
	unknown unknownHostKey
	ask     func(HostKey) (bool, error) // nil: nobody can be asked
	warn    func(text string)
}

func newHostKeys(ctx context.Context, s *settings, cfg Config, address string) (*hostKeys, error) {
	lines, err := knownLines(slices.Concat(s.knownHostsFiles, s.systemKnownHosts))
	if err != nil {
		return nil, fmt.Errorf("%w: cannot read the known host keys: %w", ErrConfig, err)
	}
	h := &hostKeys{
		name: knownName(address), plain: plainName(address), lines: lines,
		hash: s.hashKnownHosts, offered: s.algorithms.hostKeys, unknown: s.unknownHostKey, warn: cfg.Warn,
	}
	if s.hostKeyAlias != "" {
		h.name, h.plain = strings.ToLower(s.hostKeyAlias), ""
	}
	if len(s.knownHostsFiles) > 0 {
		h.file = s.knownHostsFiles[0]
	}
	if cfg.AcceptNewHostKey {
		h.unknown = acceptUnknown
	}
	if cfg.AskHostKey != nil && !s.batch {
		h.ask = func(key HostKey) (bool, error) { return cfg.AskHostKey(ctx, key) }
	}
	h.nameFaults()
	return h, nil
}

// nameFaults names the lines that cannot be used.
func (h *hostKeys) nameFaults() {
	for _, line := range h.lines {
		if line.fault != nil {
			h.warn(fmt.Sprintf("%s cannot be used: %v", line.place(), line.fault))
		}
	}
}

// about are the lines for this host with a marker. An entry for the name
// without the port counts where there is none with it.
func (h *hostKeys) about(marker string) []knownLine {
	found := h.called(h.name, marker)
	if len(found) == 0 && h.plain != "" {
		found = h.called(h.plain, marker)
	}
	return found
}

func (h *hostKeys) called(name, marker string) []knownLine {
	var found []knownLine
	for _, line := range h.lines {
		if line.fault == nil && line.marker == marker && line.names(name) {
			found = append(found, line)
		}
	}
	return found
}

// algorithms lists the host key algorithms to offer, those of the known keys
// first: a device with several keys then shows the one that is known. RSA
// comes last, as with OpenSSH: some Dropbears offer it without having a key.
// Certificates are only asked for where an authority is known.
func (h *hostKeys) algorithms() []string {
	allowed := h.offered
	if allowed == nil {
		allowed = ssh.SupportedAlgorithms().HostKeys
	}
	certificates := len(h.about(markerAuthority)) > 0
	known := h.about("")
	var first, usual, last []string
	for _, algorithm := range allowed {
		certificate := strings.Contains(algorithm, "-cert-")
		switch {
		case certificate && !certificates:
		case certificate, slices.ContainsFunc(known, func(l knownLine) bool { return l.key.Type() == keyTypeOf(algorithm) }):
			first = append(first, algorithm)
		case keyTypeOf(algorithm) == ssh.KeyAlgoRSA && h.offered == nil:
			last = append(last, algorithm)
		default:
			usual = append(usual, algorithm)
		}
	}
	return slices.Concat(first, usual, last)
}

// keyTypeOf is the type of the keys an algorithm signs with (RFC 8332).
func keyTypeOf(algorithm string) string {
	if strings.HasPrefix(algorithm, "rsa-sha2-") {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(address string, remote net.Addr, key ssh.PublicKey) error {
	if err := h.checkRevoked(key); err != nil {
		return err
	}
	if certificate, ok := key.(*ssh.Certificate); ok {
		return h.checkCertificate(address, remote, certificate)
	}
	return h.checkPlain(key)
}

// checkRevoked refuses a key that is marked as revoked, for whichever host. A
// mark that cannot be read might be the one.
func (h *hostKeys) checkRevoked(key ssh.PublicKey) error {
	keys := []ssh.PublicKey{key}
	if certificate, ok := key.(*ssh.Certificate); ok {
		keys = []ssh.PublicKey{certificate.Key, certificate.SignatureKey}
	}
	for _, line := range h.lines {
		switch {
		case line.marker != markerRevoked:
		case line.fault != nil && h.maybe(line):
			return damaged(line)
		case line.fault == nil && slices.ContainsFunc(keys, line.holds):
			return &HostKeyError{HostKey: h.shown(key), Known: known(line), Reason: ErrHostKeyRevoked}
		}
	}
	return nil
}

func (l knownLine) holds(key ssh.PublicKey) bool { return bytes.Equal(l.key.Marshal(), key.Marshal()) }

func (h *hostKeys) maybe(line knownLine) bool {
	return line.mayName(h.name) || h.plain != "" && line.mayName(h.plain)
}

func damaged(line knownLine) error {
	return fmt.Errorf("%w: %s may be about this host and cannot be used: %w", ErrConfig, line.place(), line.fault)
}

// checkCertificate takes a host certificate of an authority that is known for
// this host. One of somebody else's is worth as much as the bare key in it.
func (h *hostKeys) checkCertificate(address string, remote net.Addr, certificate *ssh.Certificate) error {
	isKnown := func(authority ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(h.about(markerAuthority), func(l knownLine) bool { return l.holds(authority) })
	}
	if !isKnown(certificate.SignatureKey, "") {
		return h.checkPlain(certificate.Key)
	}
	checker := ssh.CertChecker{IsHostAuthority: isKnown}
	if h.plain == "" { // a HostKeyAlias is what the certificate has to name
		address = net.JoinHostPort(h.name, "22")
	}
	if err := checker.CheckHostKey(address, remote, certificate); err != nil {
		return fmt.Errorf("%w: its host certificate is not valid: %w", ErrProtocol, err)
	}
	return nil
}

func (h *hostKeys) checkPlain(key ssh.PublicKey) error {
	lines := h.called(h.name, "")
	if slices.ContainsFunc(lines, func(l knownLine) bool { return l.holds(key) }) {
		return nil
	}
	if len(lines) > 0 {
		return &HostKeyError{HostKey: h.shown(key), Known: known(lines...), Reason: ErrHostKeyChanged}
	}
	if h.plain != "" && slices.ContainsFunc(h.called(h.plain, ""), func(l knownLine) bool { return l.holds(key) }) {
		return nil
	}
	return h.meet(key)
}

func (h *hostKeys) shown(key ssh.PublicKey) HostKey {
	return HostKey{Host: h.name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), File: h.file}
}

func known(lines ...knownLine) []KnownKey {
	var keys []KnownKey
	for _, line := range lines {
		keys = append(keys, KnownKey{
			Type: line.key.Type(), Fingerprint: ssh.FingerprintSHA256(line.key), File: line.file, Line: line.number, Wide: line.wide(),
		})
	}
	return keys
}

// meet takes a key that is not known only with somebody's consent; consent
// given beforehand does not count where the known key may stand in a line that
// cannot be used.
func (h *hostKeys) meet(key ssh.PublicKey) error {
	for _, line := range h.lines {
		if line.fault != nil && line.marker == "" && h.maybe(line) {
			return damaged(line)
		}
	}
	shown := h.shown(key)
	refusal := &HostKeyError{HostKey: shown, Reason: ErrHostKeyUnknown}
	switch {
	case h.unknown == acceptUnknown:
		h.remember(key)
		return nil
	case h.unknown == refuseUnknown, h.ask == nil:
		return refusal
	}
	accepted, err := h.ask(shown)
	if err != nil {
		return err
	}
	if !accepted {
		return refusal
	}
	h.remember(key)
	return nil
}

// remember appends the key to the known_hosts file. The consent to this
// connection does not hang on that.
func (h *hostKeys) remember(key ssh.PublicKey) {
	if h.file == "" {
		return
	}
	name := h.name
	if h.hash {
		name = xknownhosts.HashHostname(name)
	}
	line := name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	if err := appendLine(h.file, line); err != nil {
		h.warn(fmt.Sprintf("the host key is not kept, and will be asked about again: %v", err))
	}
}

// appendLine adds a line to a file that only its owner may read, and closes a
// last line that somebody left open. It is one write at the end of the file, so
// that processes at the same time do not take each other's lines apart, even
// those that know nothing of the lock.
func appendLine(file, line string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lockFile(f)
	open, err := endsOpen(f)
	if err != nil {
		return err
	}
	if open {
		line = "\n" + line
	}
	_, err = f.WriteString(line + "\n")
	return err
}

func endsOpen(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}
