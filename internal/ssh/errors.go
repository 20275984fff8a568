package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mbl/internal/ssh/posixsh"
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
	Wide        bool // a pattern or a mark: about more than this host
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("%v: %s sent %s %s", e.Reason, e.Host, e.Type, e.Fingerprint)
}

func (e *HostKeyError) Unwrap() error { return e.Reason }

// Remedy is what forgets the known keys of the host: commands for a shell, or
// the deletion of lines that are about other hosts too. Empty if none is known.
func (e *HostKeyError) Remedy() string {
	var whole, own []string
	for _, key := range slices.Backward(e.Known) { // a deleted line moves those below it
		if key.Wide {
			whole = append(whole, fmt.Sprintf("sed -i %dd %s", key.Line, shellQuote(key.File)))
			continue
		}
		step := fmt.Sprintf("ssh-keygen -f %s -R %s", shellQuote(key.File), shellQuote(e.Host))
		if !slices.Contains(own, step) {
			own = append(own, step)
		}
	}
	return strings.Join(append(whole, own...), " && ")
}

// shellQuote makes one word for a POSIX shell.
func shellQuote(text string) string {
	plain := !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:@%+,", r))
	})
	if plain && text != "" {
		return text
	}
	return posixsh.Quote(text)
}

// LoginError tells how the login was tried. It wraps ErrLoginRefused.
type LoginError struct {
	User    string
	Host    string   // which host refused, as ParseTarget reads it
	Jump    bool     // that host stands before the device (ProxyJump)
	Offered []string // methods the host takes, as it says; empty if it did not say
	Tried   []string // what was tried, in order, for people: `key ~/.ssh/id_ed25519`
	Notes   []string // what could not be tried, and why
	Said    string   // the host's own words: a banner, a reason to hang up; may be empty
	TooMany bool     // the host hung up because too many logins failed
	Err     error    // the last word of the SSH library; may be nil
}

func (e *LoginError) Error() string {
	text := fmt.Sprintf("%v for %s; tried: %s", ErrLoginRefused, e.User, strings.Join(e.Tried, ", "))
	if len(e.Notes) > 0 {
		text += "; not tried: " + strings.Join(e.Notes, ", ")
	}
	if e.Said != "" {
		text += fmt.Sprintf("; it says: %q", e.Said)
	}
	return text
}

func (e *LoginError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrLoginRefused}
	}
	return []error{ErrLoginRefused, e.Err}
}
