package lwm2m

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Link is one link of a registration (RFC 6690; OMA LwM2M 1.0 §5.3.1), such
// as </3/0/0>;v="maker";aobs="303".
type Link struct {
	Target     string // what stands between < and >, such as "/3/0/0"
	Attributes []Attribute
}

// Attribute is one attribute of a link.
type Attribute struct {
	Name  string
	Value string // without quotes
	Bare  bool   // there is no value, as in ;obs
}

// Attribute returns the value of the first attribute with the name, "" for a
// bare one.
func (l Link) Attribute(name string) (string, bool) {
	for _, attribute := range l.Attributes {
		if attribute.Name == name {
			return attribute.Value, true
		}
	}
	return "", false
}

// Links formats links for a registration. Values are written in quotes.
func Links(links []Link) string {
	var text strings.Builder
	for i, link := range links {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString("<" + link.Target + ">")
		for _, attribute := range link.Attributes {
			text.WriteString(";" + attribute.Name)
			if !attribute.Bare {
				text.WriteString(`="` + escape.Replace(attribute.Value) + `"`)
			}
		}
	}
	return text.String()
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// ParseLinks reads the links of a registration. Blanks between them are
// tolerated, and quotes and backslashes in values that nobody has escaped, as
// the original client sends what stands in its credentials.
func ParseLinks(text string) ([]Link, error) {
	links, err := parseLinks(text, parseQuoted)
	if err == nil {
		return links, nil
	}
	if links, plainErr := parseLinks(text, parsePlain); plainErr == nil {
		return links, nil
	}
	return nil, err
}

// quotedParser reads a value up to its closing quote, and returns what follows.
type quotedParser func(text string) (value, rest string, err error)

func parseLinks(text string, quoted quotedParser) ([]Link, error) {
	var links []Link
	rest := skipBlanks(text)
	for rest != "" {
		link, after, err := parseLink(rest, quoted)
		if err != nil {
			return nil, err
		}
		links = append(links, link)
		if after == "" {
			break
		}
		if after[0] != ',' {
			return nil, fmt.Errorf("%w: no comma behind the link %q", ErrMalformed, link.Target)
		}
		rest = skipBlanks(after[1:])
	}
	return links, nil
}

func parseLink(text string, quoted quotedParser) (link Link, rest string, err error) {
	if text[0] != '<' {
		return Link{}, "", fmt.Errorf("%w: link does not start with <", ErrMalformed)
	}
	target, rest, found := strings.Cut(text[1:], ">")
	if !found {
		return Link{}, "", fmt.Errorf("%w: link without >", ErrMalformed)
	}
	link.Target = target
	for rest = skipBlanks(rest); strings.HasPrefix(rest, ";"); rest = skipBlanks(rest) {
		var attribute Attribute
		if attribute, rest, err = parseAttribute(skipBlanks(rest[1:]), quoted); err != nil {
			return Link{}, "", fmt.Errorf("%w in link %q", err, target)
		}
		link.Attributes = append(link.Attributes, attribute)
	}
	return link, rest, nil
}

func parseAttribute(text string, quoted quotedParser) (attribute Attribute, rest string, err error) {
	end := endOf(text, "=;, ")
	attribute.Name, rest = text[:end], text[end:]
	if attribute.Name == "" || strings.ContainsAny(attribute.Name, `"<>`) {
		return Attribute{}, "", fmt.Errorf("%w: attribute without a name", ErrMalformed)
	}
	if !strings.HasPrefix(rest, "=") {
		attribute.Bare = true
		return attribute, rest, nil
	}
	rest = rest[1:]
	if strings.HasPrefix(rest, `"`) {
		attribute.Value, rest, err = quoted(rest[1:])
		return attribute, rest, err
	}
	end = endOf(rest, ";, ")
	attribute.Value = rest[:end]
	return attribute, rest[end:], nil
}

// parseQuoted reads up to the closing quote; a backslash protects the
// character behind it.
func parseQuoted(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", fmt.Errorf("%w: quote not closed", ErrMalformed)
}

// parsePlain reads up to the first quote that can be the closing one: another
// attribute, another link, or nothing follows.
func parsePlain(text string) (value, rest string, err error) {
	for i := range len(text) {
		if text[i] != '"' {
			continue
		}
		rest = skipBlanks(text[i+1:])
		next, another := strings.CutPrefix(rest, ",")
		if rest == "" || beginsAttribute.MatchString(rest) || another && strings.HasPrefix(skipBlanks(next), "<") {
			return text[:i], rest, nil
		}
	}
	return "", "", fmt.Errorf("%w: quote not closed", ErrMalformed)
}

// beginsAttribute tells an attribute from a value that goes on after a quote
// and a semicolon.
var beginsAttribute = regexp.MustCompile(`^;\s*[^\s"<>=;,]+\s*(?:[=;,]|$)`)

// ReadableLinks reads of a text that ParseLinks refuses what can be read: of
// each link to an LwM2M path the path, and the attributes behind the last value
// that is broken.
func ReadableLinks(text string) []Link {
	var links []Link
	for piece := range strings.SplitSeq(strings.TrimPrefix(skipBlanks(text), "<"), ",<") {
		if parsed, err := ParseLinks("<" + piece); err == nil && len(parsed) == 1 {
			links = append(links, parsed[0])
			continue
		}
		target, attributes, _ := strings.Cut(piece, ">")
		if path, err := ParsePath(target); err == nil && len(path) > 0 {
			links = append(links, Link{Target: target, Attributes: lastAttributes(attributes)})
		}
	}
	return links
}

// lastAttributes are those at a text's end that can be read.
func lastAttributes(text string) []Attribute {
	var attributes []Attribute
	for at := strings.LastIndexByte(text, ';'); at >= 0; at = strings.LastIndexByte(text, ';') {
		attribute, rest, err := parseAttribute(skipBlanks(text[at+1:]), parseQuoted)
		if err != nil || skipBlanks(rest) != "" {
			break
		}
		attributes = append(attributes, attribute)
		text = text[:at]
	}
	slices.Reverse(attributes)
	return attributes
}

// endOf is the index of the first of the characters, or the text's length.
func endOf(text, characters string) int {
	if i := strings.IndexAny(text, characters); i >= 0 {
		return i
	}
	return len(text)
}

func skipBlanks(text string) string { return strings.TrimLeft(text, " \t\r\n") }
