package cloud

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"mbl/internal/objectid"
)

func parseValue(kind Kind, text string) (any, error) {
	switch kind {
	case ID:
		if id, ok := objectid.Normalize(text); ok {
			return id, nil
		}
		return text, nil
	case Lower:
		return strings.ToLower(text), nil
	case Integer:
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, errors.New("is not a whole number")
		}
		return number, nil
	case Boolean:
		return parseBoolean(text)
	case Time:
		return parseTime(text)
	case Day:
		at, err := parseTime(text)
		return at.Truncate(24 * time.Hour), err
	default:
		return text, nil
	}
}

func parseBoolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, errors.New("is not true or false")
	}
}

// timeLayouts are the spellings of a time that filters take: RFC 3339, also
// with a Z after its zone (the Python SDK puts one after every time) or without
// a zone, which is UTC; the same without punctuation; and a date alone. Each
// takes a fraction.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05-07:00Z", "2006-01-02T15:04:05",
	"20060102T150405Z07:00", time.DateOnly,
}

// parseTime reads a time. A blank between date and time is as good as T (RFC
// 3339, section 5.6); any other was the "+" of the zone before the query string
// was read.
func parseTime(text string) (time.Time, error) {
	text = strings.ToUpper(text)
	if day := len(time.DateOnly); len(text) > day && text[day] == ' ' {
		text = text[:day] + "T" + text[day+1:]
	}
	text = strings.ReplaceAll(text, " ", "+")
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("is not a time like 2006-01-02T15:04:05Z")
}

// splitList takes a list of values apart. The Python SDK writes one as Python
// prints it, and not with commas alone.
func splitList(text string) []string {
	if values, is := pythonList(text); is {
		return values
	}
	return strings.Split(text, ",")
}

// pythonList reads ['a, b', 'c'] or [1, 2]; of an empty list, one empty text.
func pythonList(text string) (values []string, is bool) {
	rest, begins := strings.CutPrefix(text, "[")
	rest, ends := strings.CutSuffix(rest, "]")
	if !begins || !ends {
		return nil, false
	}
	for more := true; more; {
		value, after, quoted := pythonText(strings.TrimSpace(rest))
		if !quoted {
			value, after, more = strings.Cut(rest, ",")
			values, rest = append(values, strings.TrimSpace(value)), after
			continue
		}
		between, next, found := strings.Cut(after, ",")
		if strings.TrimSpace(between) != "" {
			return nil, false
		}
		values, rest, more = append(values, value), next, found
	}
	return values, true
}

// pythonText reads the text literal that text begins with, and returns what
// comes after it.
func pythonText(text string) (value, after string, is bool) {
	text = strings.TrimPrefix(text, "u") // Python 2
	if text == "" || text[0] != '\'' && text[0] != '"' {
		return "", "", false
	}
	quote, rest := text[0], text[1:]
	var read strings.Builder
	for rest != "" && rest[0] != quote {
		character, _, after, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", "", false
		}
		read.WriteRune(character)
		rest = after
	}
	if rest == "" {
		return "", "", false
	}
	return read.String(), rest[1:], true
}
