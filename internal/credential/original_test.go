package credential_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// originalParser is a model of the parser in the original mbl-cli: what it
// makes of a C file's text, as the contents of its .bin files.
func originalParser(source, marker, prefix string) (map[string][]byte, error) {
	halves := strings.Split(source, marker)
	if len(halves) != 2 {
		return nil, fmt.Errorf("the marker occurs %d times", len(halves)-1)
	}
	contents := map[string][]byte{}
	for _, piece := range strings.Split(strings.ReplaceAll(halves[1], "\n", ""), ";") {
		if !strings.Contains(piece, "=") {
			continue
		}
		sides := strings.Split(piece, " = ")
		if len(sides) != 2 {
			return nil, fmt.Errorf("%q holds %d times ' = '", piece, len(sides)-1)
		}
		if strings.Contains(piece, "sizeof(") {
			continue
		}
		_, name, found := strings.Cut(sides[0], prefix)
		if !found {
			return nil, fmt.Errorf("%q lacks the prefix", sides[0])
		}
		content, err := originalValue(sides[1])
		if err != nil {
			return nil, err
		}
		contents[prefix+strings.TrimSuffix(strings.TrimSpace(name), "[]")] = content
	}
	return contents, nil
}

func originalValue(value string) ([]byte, error) {
	value = strings.NewReplacer(`"`, "", " ", "").Replace(value)
	value = strings.Trim(value, `{} \r`)
	parts := strings.Split(value, ",")
	if len(parts) == 1 {
		return []byte(value), nil
	}
	var content bytes.Buffer
	for _, part := range parts {
		b, err := strconv.ParseUint(strings.TrimPrefix(part, "0x"), 16, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is not a byte: %w", part, err)
		}
		content.WriteByte(byte(b))
	}
	return content.Bytes(), nil
}
