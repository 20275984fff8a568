package credential

import "strings"

// text evaluates string literals, adjacent ones joined, or a list of
// characters. What C appends or needs at the end, one NUL, is not part of it.
func (d declaration) text() (string, error) {
	value := d.value
	if inner, ok := unwrap(value, "{", "}"); ok && len(inner) > 0 && inner[0].kind == stringLiteral {
		value = inner
	}
	text, err := d.rawText(value)
	if err != nil {
		return "", err
	}
	if strings.ContainsRune(text, 0) {
		return "", d.fault("its text contains a NUL character")
	}
	return text, nil
}

func (d declaration) rawText(value []token) (string, error) {
	if len(value) == 0 || value[0].kind != stringLiteral {
		list, err := d.bytes()
		if err != nil {
			return "", d.fault("it is not a text")
		}
		return strings.TrimSuffix(string(list), "\x00"), nil
	}
	var text strings.Builder
	for _, t := range value {
		if t.kind != stringLiteral {
			return "", d.fault("%q stands behind its text", t.text)
		}
		text.WriteString(t.text)
	}
	size, sized, err := d.declaredSize()
	if err != nil {
		return "", err
	}
	if sized && text.Len() > size {
		return "", d.fault("its size is declared as %d, but its text has %d bytes", size, text.Len())
	}
	return text.String(), nil
}

// bytes evaluates a list of numbers in braces. As in C, a trailing comma is
// fine and a declared size larger than the list appends zeros.
func (d declaration) bytes() ([]byte, error) {
	inner, ok := unwrap(d.value, "{", "}")
	if !ok {
		return nil, d.fault("it is not a list of bytes in braces")
	}
	list, err := d.list(inner)
	if err != nil {
		return nil, err
	}
	size, sized, err := d.declaredSize()
	if err != nil || !sized {
		return list, err
	}
	if len(list) > size {
		return nil, d.fault("its size is declared as %d, but it has %d bytes", size, len(list))
	}
	return append(list, make([]byte, size-len(list))...), nil
}

func (d declaration) list(tokens []token) ([]byte, error) {
	var list []byte
	for i, t := range tokens {
		if i%2 == 1 {
			if !t.is(",") {
				return nil, d.fault("a comma is missing before %q in line %d", t.text, t.line)
			}
			continue
		}
		b, ok := asByte(t)
		if !ok {
			return nil, d.fault("%q in line %d is not a byte", t.text, t.line)
		}
		list = append(list, b)
	}
	return list, nil
}

func asByte(t token) (b byte, ok bool) {
	switch t.kind {
	case number:
		value, err := parseNumber(t.text, 8)
		return byte(value), err == nil
	case characterLiteral:
		if len(t.text) != 1 {
			return 0, false
		}
		return t.text[0], true
	}
	return 0, false
}

// declaredSize is the number in the brackets; sized is false for [].
func (d declaration) declaredSize() (size int, sized bool, err error) {
	if len(d.size) == 0 {
		return 0, false, nil
	}
	if len(d.size) > 1 || d.size[0].kind != number {
		return 0, false, d.fault("its size is not a plain number")
	}
	value, err := parseNumber(d.size[0].text, 32)
	if err != nil || value > maxArray {
		return 0, false, d.fault("its size %s is not a number up to %d", d.size[0].text, maxArray)
	}
	return int(value), true, nil
}

// number evaluates one 32-bit number.
func (d declaration) number() (uint32, error) {
	value := d.value
	for {
		inner, ok := unwrap(value, "(", ")")
		if !ok {
			break
		}
		value = inner
	}
	if len(value) != 1 || value[0].kind != number {
		return 0, d.fault("it is not a plain number")
	}
	n, err := parseNumber(value[0].text, 32)
	if err != nil {
		return 0, d.fault("%q is not a number of 32 bits", value[0].text)
	}
	return uint32(n), nil
}

// unwrap removes a pair of brackets around all the tokens.
func unwrap(tokens []token, opening, closing string) (inner []token, ok bool) {
	if len(tokens) < 2 || !tokens[0].is(opening) || !tokens[len(tokens)-1].is(closing) {
		return nil, false
	}
	return tokens[1 : len(tokens)-1], true
}
