package credstore

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 100 // bytes; the service takes no longer ones

// CheckName tells whether a certificate's name can be the name of a folder in
// the team store and nothing else: no path, no hidden or temporary file, no
// option of a command. The error matches ErrName.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > maxName:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrName, maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w %q: it is not UTF-8", ErrName, name)
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("%w %q: it contains a path separator", ErrName, name)
	case strings.ContainsFunc(name, isUnprintable):
		return fmt.Errorf("%w %q: it contains a control character", ErrName, name)
	case strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-"):
		return fmt.Errorf("%w %q: it begins with %q", ErrName, name, name[:1])
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w %q: it begins or ends with a space", ErrName, name)
	case name == configFile:
		return fmt.Errorf("%w %q: the store has a file of this name", ErrName, name)
	}
	return nil
}

func isUnprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }
