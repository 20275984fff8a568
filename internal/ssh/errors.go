package ssh

import (
	"errors"
	"fmt"
	"strings"
)

// Why there is no connection, or no longer one. Errors of this package wrap
// exactly one of these, or the context's error.
var (
	ErrTarget         = errors.New("not an address of a device")
	ErrConfig         = errors.New("unusable SSH configuration")
	ErrUnreachable    = errors.New("the device cannot be reached")
	ErrTimeout        = errors.New("the device does not answer in time")
	ErrProtocol       = errors.New("no usable SSH server answers there")
	ErrHostKeyUnknown = errors.New("the device's host key is unknown")
	ErrHostKeyChanged = errors.New("the device's host key is not the known one")
	ErrHostKeyRevoked = errors.New("the device's host key is marked as revoked")
	ErrLoginRefused   = errors.New("the device refused the login")
	ErrDropped        = errors.New("the connection to the device was lost")
	ErrExec           = errors.New("the device cannot run commands")
)

// HostKeyError is the refusal of a host key. It wraps ErrHostKeyUnknown,
// ErrHostKeyChanged or ErrHostKeyRevoked.
type HostKeyError struct {
	HostKey
	Known  []KnownKey // what the known_hosts files hold for this host
	Reason error      // one of the three
}

// KnownKey is one entry of a known_hosts file.
type KnownKey struct {
	Type        string // for example ssh-ed25519
	Fingerprint string // SHA256:…
	File        string
	Line        int
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("%v: %s sent %s %s", e.Reason, e.Host, e.Type, e.Fingerprint)
}

func (e *HostKeyError) Unwrap() error { return e.Reason }

// Remedy is the command that forgets the known keys of the host.
func (e *HostKeyError) Remedy() string {
	return fmt.Sprintf("ssh-keygen -f %q -R %q", e.File, e.Host)
}

// LoginError tells how the login was tried. It wraps ErrLoginRefused.
type LoginError struct {
	User    string
	Offered []string // methods the device takes, as it says; empty if it did not say
	Tried   []string // what was tried, in order, for people: `key ~/.ssh/id_ed25519`
	Notes   []string // what could not be tried, and why
	Err     error    // the last word of the SSH library; may be nil
}

func (e *LoginError) Error() string {
	text := fmt.Sprintf("%v for %s; tried: %s", ErrLoginRefused, e.User, strings.Join(e.Tried, ", "))
	if len(e.Notes) > 0 {
		text += "; not tried: " + strings.Join(e.Notes, ", ")
	}
	return text
}

func (e *LoginError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrLoginRefused}
	}
	return []error{ErrLoginRefused, e.Err}
}
