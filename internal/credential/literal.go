package credential

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted reads a string or character literal that begins at the position, and
// decodes its escapes (C11 §6.4.4.4).
func (s *scanner) quoted(quote byte) (string, error) {
	opened := s.line
	s.pos++
	var text []byte
	for s.pos < len(s.source) && s.source[s.pos] != '\n' {
		c := s.source[s.pos]
		switch {
		case c == quote:
			s.pos++
			return string(text), nil
		case s.joinedLine():
		case c == '\\':
			var err error
			if text, err = s.escape(text); err != nil {
				return "", &SourceError{Line: s.line, Problem: err.Error()}
			}
		default:
			text = append(text, c)
			s.pos++
		}
	}
	return "", &SourceError{Line: opened, Problem: "a text begins here and its closing quote is missing"}
}

// escape decodes the escape at the position and appends it to text.
func (s *scanner) escape(text []byte) ([]byte, error) {
	s.pos++ // the backslash
	c := s.peek(0)
	if isOctal(c) {
		value, err := strconv.ParseUint(s.digits(isOctal, 3), 8, 8)
		if err != nil {
			return nil, fmt.Errorf("an octal escape is greater than \\377")
		}
		return append(text, byte(value)), nil
	}
	s.pos++
	switch c {
	case 'x':
		value, err := strconv.ParseUint(s.digits(isHex, len(s.source)), 16, 8)
		if err != nil {
			return nil, fmt.Errorf("a \\x escape is not one byte")
		}
		return append(text, byte(value)), nil
	case 'u':
		return s.universal(text, 4)
	case 'U':
		return s.universal(text, 8)
	}
	value, ok := simpleEscape(c)
	if !ok {
		return nil, fmt.Errorf("the escape \\%c is unknown", c)
	}
	return append(text, value), nil
}

// universal decodes the digits of a \u or \U escape.
func (s *scanner) universal(text []byte, length int) ([]byte, error) {
	digits := s.digits(isHex, length)
	value, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) != length || !utf8.ValidRune(rune(value)) {
		return nil, fmt.Errorf("a \\u escape names no character")
	}
	return utf8.AppendRune(text, rune(value)), nil
}

// digits steps over at most limit digits.
func (s *scanner) digits(isOne func(byte) bool, limit int) string {
	start := s.pos
	for s.pos < len(s.source) && s.pos-start < limit && isOne(s.source[s.pos]) {
		s.pos++
	}
	return string(s.source[start:s.pos])
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

func isHex(c byte) bool { return isDigit(c) || (c|0x20) >= 'a' && (c|0x20) <= 'f' }

func simpleEscape(c byte) (value byte, ok bool) {
	const names, values = `abfnrtv\'"?`, "\a\b\f\n\r\t\v\\'\"?"
	i := strings.IndexByte(names, c)
	if i < 0 {
		return 0, false
	}
	return values[i], true
}

// parseNumber reads a C integer constant: decimal, 0x, 0b or octal, with any
// U and L suffixes (C11 §6.4.4.1).
func parseNumber(text string, bits int) (uint64, error) {
	digits := strings.TrimRight(text, "uUlL")
	base := 10
	switch {
	case hasPrefixFold(digits, "0x"):
		digits, base = digits[2:], 16
	case hasPrefixFold(digits, "0b"):
		digits, base = digits[2:], 2
	case len(digits) > 1 && digits[0] == '0':
		digits, base = digits[1:], 8
	}
	return strconv.ParseUint(digits, base, bits)
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// quote writes text as a C string literal. Bytes outside printable UTF-8
// become three-digit octal escapes, which a following digit cannot lengthen.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(byte(r))
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\%03o`, text[i])
		default:
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}
