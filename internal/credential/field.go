package credential

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// field ties a variable's name to its place in a Developer or an Update. Of
// the pointers exactly one is set: it is the variable's type.
type field struct {
	name     string
	optional bool

	text   *string
	data   *[]byte
	id     *[16]byte
	number *uint32
}

// fill reads every field with read, which is told the field and says whether
// there was a value, and reports all that are missing together.
func fill(fields []field, read func(field) (found bool, err error)) error {
	var missing []string
	for _, f := range fields {
		found, err := read(f)
		if err != nil {
			return err
		}
		if !found && !f.optional {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return &MissingError{Variables: missing}
	}
	return nil
}

// MissingError names the variables that a set of credentials lacks.
type MissingError struct {
	Variables []string
}

func (e *MissingError) Error() string { return "missing " + strings.Join(e.Variables, ", ") }

// fromDeclaration sets the field from C source.
func (f field) fromDeclaration(d declaration) (err error) {
	if d.again > 0 {
		return d.fault("it is declared a second time in line %d", d.again)
	}
	switch {
	case f.text != nil:
		*f.text, err = d.text()
	case f.number != nil:
		*f.number, err = d.number()
	case f.id != nil:
		return f.idFromDeclaration(d)
	default:
		return f.dataFromDeclaration(d)
	}
	return err
}

func (f field) dataFromDeclaration(d declaration) error {
	data, err := d.bytes()
	if err != nil {
		return err
	}
	if len(data) == 0 && !f.optional {
		return d.fault("it is empty")
	}
	*f.data = data
	return nil
}

func (f field) idFromDeclaration(d declaration) error {
	data, err := d.bytes()
	if err != nil {
		return err
	}
	if len(data) != len(f.id) {
		return d.fault("it has %d bytes, not %d", len(data), len(f.id))
	}
	copy(f.id[:], data)
	return nil
}

// fromVariable sets the field from the content of a .bin file.
func (f field) fromVariable(content []byte) error {
	switch {
	case f.text != nil:
		*f.text = string(content)
	case f.number != nil:
		return f.numberFromVariable(content)
	case f.id != nil:
		return f.idFromVariable(content)
	default:
		return f.dataFromVariable(content)
	}
	return nil
}

func (f field) dataFromVariable(content []byte) error {
	if len(content) == 0 && !f.optional {
		return problem(f.name, "it is empty")
	}
	if len(content) > 0 {
		*f.data = undoText(content)
	}
	return nil
}

func (f field) idFromVariable(content []byte) error {
	if len(content) != len(f.id) {
		return problem(f.name, "it has %d bytes, not %d", len(content), len(f.id))
	}
	copy(f.id[:], content)
	return nil
}

// numberFromVariable reads 4 bytes little-endian, or the text that the
// original tool stores. Four characters such as "1024" are taken as text: as
// bytes they would mean more than 770 GB.
func (f field) numberFromVariable(content []byte) error {
	if n, err := parseNumber(string(content), 32); err == nil {
		*f.number = uint32(n)
		return nil
	}
	if len(content) != 4 {
		return problem(f.name, "it is neither 4 bytes nor a number as text")
	}
	*f.number = binary.LittleEndian.Uint32(content)
	return nil
}

// undoText gives back the byte that the original tool stored as text: it
// takes an array of one byte, { 0x30 }, for the text 0x30.
func undoText(content []byte) []byte {
	text := string(content)
	if text != "0" && !hasPrefixFold(text, "0x") {
		return slices.Clone(content)
	}
	value, err := parseNumber(text, 8)
	if err != nil {
		return slices.Clone(content)
	}
	return []byte{byte(value)}
}

// variable is the field as a .bin file; ok is false if it is optional and
// empty.
func (f field) variable() (v Variable, ok bool) {
	data := f.content()
	if f.optional && len(data) == 0 {
		return Variable{}, false
	}
	return Variable{Name: f.name, Data: data}, true
}

func (f field) content() []byte {
	switch {
	case f.text != nil:
		return []byte(*f.text)
	case f.number != nil:
		return binary.LittleEndian.AppendUint32(nil, *f.number)
	case f.id != nil:
		return slices.Clone(f.id[:])
	default:
		return slices.Clone(*f.data)
	}
}

func variables(fields []field) []Variable {
	var all []Variable
	for _, f := range fields {
		if v, ok := f.variable(); ok {
			all = append(all, v)
		}
	}
	return all
}

// readSource fills fields from C source and returns what was declared.
func readSource(source []byte, fields []field) (map[string]declaration, error) {
	if err := checkContent(source); err != nil {
		return nil, err
	}
	declared, err := declarations(source)
	if err != nil {
		return nil, err
	}
	return declared, fill(fields, func(f field) (bool, error) {
		d, found := declared[f.name]
		if !found {
			return false, nil
		}
		return true, f.fromDeclaration(d)
	})
}

// checkContent recognises a file that was never C source. The original's web
// portal has been seen to hand out a file that holds one JavaScript word.
func checkContent(source []byte) error {
	if len(source) > MaxSource {
		return &SourceError{Problem: fmt.Sprintf("the file has %d bytes; at most %d are read", len(source), MaxSource)}
	}
	switch word := strings.TrimSpace(string(source)); {
	case strings.HasPrefix(word, "\xff\xfe"), strings.HasPrefix(word, "\xfe\xff"):
		return &SourceError{Problem: "the file is UTF-16 text, as PowerShell's > writes it; save it as UTF-8"}
	case word == "":
		return &SourceError{Problem: "the file is empty"}
	case word == "undefined", word == "null":
		return &SourceError{Problem: fmt.Sprintf("the file holds nothing but the word %q: the portal it came from failed to write it; fetch it again", word)}
	}
	return nil
}

// readVariables fills fields from .bin files; unknown names are ignored.
func readVariables(contents map[string][]byte, fields []field) error {
	return fill(fields, func(f field) (bool, error) {
		content, found := contents[f.name]
		if !found {
			return false, nil
		}
		return true, f.fromVariable(content)
	})
}
