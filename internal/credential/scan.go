package credential

import (
	"bytes"
)

// tokenKind is what a token of C source is.
type tokenKind int

const (
	endOfSource tokenKind = iota
	identifier
	number
	stringLiteral    // text holds the decoded bytes
	characterLiteral // text holds the decoded bytes
	punctuation      // one byte
)

type token struct {
	kind tokenKind
	text string
	line int
}

func (t token) is(punct string) bool { return t.kind == punctuation && t.text == punct }

// scanner cuts C source into tokens. White space, comments, joined lines
// (a backslash before the line end) and preprocessor lines are skipped; both
// branches of an #ifdef are therefore read.
type scanner struct {
	source      []byte
	pos         int
	line        int
	startOfLine bool // only white space so far on this line
}

func newScanner(source []byte) *scanner {
	byteOrderMark := []byte("\xef\xbb\xbf")
	return &scanner{source: bytes.TrimPrefix(source, byteOrderMark), line: 1, startOfLine: true}
}

// next returns the next token, endOfSource at the end.
func (s *scanner) next() (token, error) {
	if err := s.skipSpace(); err != nil {
		return token{}, err
	}
	s.startOfLine = false
	line := s.line
	switch c := s.peek(0); {
	case s.pos >= len(s.source):
		return token{kind: endOfSource, line: line}, nil
	case c == '"':
		text, err := s.quoted('"')
		return token{kind: stringLiteral, text: text, line: line}, err
	case c == '\'':
		text, err := s.quoted('\'')
		return token{kind: characterLiteral, text: text, line: line}, err
	case isDigit(c):
		return token{kind: number, text: s.word(), line: line}, nil
	case isWordByte(c):
		return token{kind: identifier, text: s.word(), line: line}, nil
	default:
		s.pos++
		return token{kind: punctuation, text: string(rune(c)), line: line}, nil
	}
}

// peek is the byte ahead of the position, 0 past the end.
func (s *scanner) peek(ahead int) byte {
	if s.pos+ahead >= len(s.source) {
		return 0
	}
	return s.source[s.pos+ahead]
}

func (s *scanner) at(text string) bool { return bytes.HasPrefix(s.source[s.pos:], []byte(text)) }

func (s *scanner) skipSpace() error {
	for s.pos < len(s.source) {
		switch c := s.source[s.pos]; {
		case c == '\n':
			s.newline()
		case c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f':
			s.pos++
		case s.joinedLine():
		case s.at("//"):
			s.skipLine()
		case s.at("/*"):
			if err := s.skipComment(); err != nil {
				return err
			}
		case c == '#' && s.startOfLine:
			if err := s.skipDirective(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (s *scanner) newline() {
	s.pos++
	s.line++
	s.startOfLine = true
}

// joinedLine steps over a backslash and the line end behind it.
func (s *scanner) joinedLine() bool {
	for _, end := range []string{"\\\n", "\\\r\n"} {
		if s.at(end) {
			s.pos += len(end)
			s.line++
			return true
		}
	}
	return false
}

// skipLine goes to the end of the line, before the line end itself.
func (s *scanner) skipLine() {
	for s.pos < len(s.source) && s.source[s.pos] != '\n' {
		if !s.joinedLine() {
			s.pos++
		}
	}
}

func (s *scanner) skipComment() error {
	opened := s.line
	length := bytes.Index(s.source[s.pos+2:], []byte("*/"))
	if length < 0 {
		return &SourceError{Line: opened, Problem: "a comment begins here and never ends"}
	}
	end := s.pos + 2 + length + 2
	s.line += bytes.Count(s.source[s.pos:end], []byte("\n"))
	s.pos = end
	return nil
}

// skipDirective skips a preprocessor line; a comment in it may span lines.
func (s *scanner) skipDirective() error {
	for s.pos < len(s.source) && s.source[s.pos] != '\n' {
		switch {
		case s.at("//"):
			s.skipLine()
		case s.at("/*"):
			if err := s.skipComment(); err != nil {
				return err
			}
		case s.joinedLine():
		default:
			s.pos++
		}
	}
	return nil
}

func (s *scanner) word() string {
	start := s.pos
	for s.pos < len(s.source) && isWordByte(s.source[s.pos]) {
		s.pos++
	}
	return string(s.source[start:s.pos])
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return isDigit(c) || c == '_' || (c|0x20) >= 'a' && (c|0x20) <= 'z'
}
