package sshconfig

import (
	"errors"
	"strings"
)

// rawKeywords take the rest of their line as it stands: it is for a shell.
var rawKeywords = [...]string{"proxycommand", "localcommand", "remotecommand", "knownhostscommand"}

var errOpenQuote = errors.New("a quotation mark is not closed")

// splitLine parts a line into its keyword, in lower case, and the arguments. A
// line without a keyword is empty or a comment.
func splitLine(line string) (keyword string, args []string, err error) {
	line = strings.Trim(line, " \t\r\f\n")
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), nil, nil
	}
	keyword = strings.ToLower(line[:end])
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	for _, raw := range rawKeywords {
		if keyword == raw {
			return keyword, []string{rest}, nil
		}
	}
	args, err = splitWords(rest)
	return keyword, args, err
}

// splitWords parts words at blanks outside quotation marks. A # at the start of
// a word begins a comment.
func splitWords(text string) ([]string, error) {
	var words []string
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" || text[0] == '#' {
			return words, nil
		}
		word, rest, err := nextWord(text)
		if err != nil {
			return nil, err
		}
		words, text = append(words, word), rest
	}
}

// nextWord takes one word off: quotation marks may stand within it, and a
// backslash takes the meaning from a mark, a blank or another backslash.
func nextWord(text string) (word, rest string, err error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && escapes(text[i+1], quote):
			i++
			b.WriteByte(text[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), text[i:], nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", errOpenQuote
	}
	return b.String(), "", nil
}

func escapes(next, quote byte) bool {
	return next == '"' || next == '\'' || next == '\\' || next == ' ' && quote == 0
}
