package cloud

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameLength is the length of the names of keys and certificates, in characters.
const maxNameLength = 100

// checkName checks the name of a key or certificate.
func checkName(name string) error {
	if strings.TrimSpace(name) == "" {
		return RefuseField("name", "is missing")
	}
	return checkText("name", name, maxNameLength)
}

// checkText checks a text of one line, which may be empty.
func checkText(field, text string, limit int) error {
	if utf8.RuneCountInString(text) > limit {
		return RefuseField(field, "is longer than %d characters", limit)
	}
	if !printable(text) {
		return RefuseField(field, "holds control characters")
	}
	return nil
}

// checkDescription checks a text of several lines.
func checkDescription(text string, limit int) error {
	if utf8.RuneCountInString(text) > limit {
		return RefuseField("description", "is longer than %d characters", limit)
	}
	if strings.ContainsRune(text, 0) {
		return RefuseField("description", "holds a NUL character")
	}
	return nil
}

// printable tells whether a text holds no control characters. (PostgreSQL
// cannot store NUL, and terminals obey the others.)
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
	})
}
