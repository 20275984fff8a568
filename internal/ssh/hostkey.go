package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// systemKnownHosts is read beside the person's own files, never written.
const systemKnownHosts = "/etc/ssh/ssh_known_hosts"

// HostKey is a key that a device showed.
type HostKey struct {
	Host        string // as in known_hosts: name or address, [..]:port for other ports
	Type        string // for example ssh-ed25519
	Fingerprint string // SHA256:…, as ssh-keygen prints it
	File        string // the known_hosts file that would keep it
}

// hostKeys decides about the host key of one connection.
type hostKeys struct {
	db      *knownhosts.HostKeyDB
	file    string // takes new keys; empty: nowhere to keep them
	unknown unknownHostKey
	ask     func(HostKey) (bool, error) // nil: nobody can be asked
}

func newHostKeys(ctx context.Context, s *settings, cfg Config) (*hostKeys, error) {
	db, err := knownhosts.NewDB(existing(append(slices.Clone(s.knownHostsFiles), systemKnownHosts))...)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot read the known host keys: %w", ErrConfig, err)
	}
	h := &hostKeys{db: db, unknown: s.unknownHostKey}
	if len(s.knownHostsFiles) > 0 {
		h.file = s.knownHostsFiles[0]
	}
	if cfg.AcceptNewHostKey {
		h.unknown = acceptUnknown
	}
	if cfg.AskHostKey != nil {
		h.ask = func(key HostKey) (bool, error) { return cfg.AskHostKey(ctx, key) }
	}
	return h, nil
}

func existing(files []string) []string {
	return slices.DeleteFunc(files, func(file string) bool {
		_, err := os.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// algorithms lists the host key algorithms to offer, those of the known keys
// first: a device with several keys then shows the one that is known. RSA
// comes last, as with OpenSSH: some Dropbears offer it without having a key.
// Certificates are only asked for where an authority is known.
func (h *hostKeys) algorithms(address string) []string {
	offer := h.db.HostKeyAlgorithms(address)
	var last []string
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		switch {
		case slices.Contains(offer, algorithm), strings.Contains(algorithm, "-cert-"):
		case strings.HasPrefix(algorithm, "rsa-"):
			last = append(last, algorithm)
		default:
			offer = append(offer, algorithm)
		}
	}
	return append(offer, last...)
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(address string, remote net.Addr, key ssh.PublicKey) error {
	err := h.db.HostKeyCallback()(address, remote, key)
	if err == nil {
		return nil
	}
	shown := HostKey{
		Host: knownhosts.Normalize(address), Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), File: h.file,
	}
	var revoked *xknownhosts.RevokedError
	var mismatch *xknownhosts.KeyError
	switch {
	case errors.As(err, &revoked):
		return &HostKeyError{HostKey: shown, Known: knownKeys(revoked.Revoked), Reason: ErrHostKeyRevoked}
	case errors.As(err, &mismatch) && len(mismatch.Want) > 0:
		return &HostKeyError{HostKey: shown, Known: knownKeys(mismatch.Want...), Reason: ErrHostKeyChanged}
	case errors.As(err, &mismatch):
		return h.meet(shown, address, key)
	default:
		return fmt.Errorf("%w: the host key cannot be checked: %w", ErrProtocol, err)
	}
}

func knownKeys(keys ...xknownhosts.KnownKey) []KnownKey {
	var known []KnownKey
	for _, key := range keys {
		known = append(known, KnownKey{
			Type: key.Key.Type(), Fingerprint: ssh.FingerprintSHA256(key.Key), File: key.Filename, Line: key.Line,
		})
	}
	return known
}

// meet takes a key that is not known only with somebody's consent.
func (h *hostKeys) meet(shown HostKey, address string, key ssh.PublicKey) error {
	refusal := &HostKeyError{HostKey: shown, Reason: ErrHostKeyUnknown}
	switch h.unknown {
	case acceptUnknown:
		return h.remember(address, key)
	case refuseUnknown:
		return refusal
	}
	if h.ask == nil {
		return refusal
	}
	accepted, err := h.ask(shown)
	if err != nil {
		return err
	}
	if !accepted {
		return refusal
	}
	return h.remember(address, key)
}

// remember appends the key to the known_hosts file.
func (h *hostKeys) remember(address string, key ssh.PublicKey) error {
	if h.file == "" {
		return nil
	}
	if err := appendLine(h.file, knownhosts.Line([]string{address}, key)); err != nil {
		return fmt.Errorf("%w: cannot keep the host key: %w", ErrConfig, err)
	}
	return nil
}

// appendLine adds a line to a file that only its owner may read, and closes a
// last line that somebody left open.
func appendLine(file, line string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
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
