// Package senml reads and writes resources in SenML (RFC 8428), as JSON and as
// CBOR, the way OMA LwM2M 1.1 uses it (core, sections 7.4.4 and 7.4.5): names are
// paths, and nothing has a time that counts.
//
// It is apart from the other formats of package lwm2m because devices of ours
// speak none of it and need not carry its library.
package senml

import (
	"fmt"
	"math"

	"mbl/internal/lwm2m"
)

// Content formats (OMA LwM2M 1.1 core, section 7.4; RFC 8428 section 12.2).
const (
	FormatJSON uint16 = 110
	FormatCBOR uint16 = 112
)

// Entry is a resource or an instance of one with its value: a string, bool,
// int64, float64, []byte or ObjectLink; nil in a pack that only names it.
type Entry struct {
	Path  lwm2m.Path
	Value any
}

// ObjectLink is a value that names an object instance, such as "3:0".
type ObjectLink string

// maxRecords bounds what one payload may hold.
const maxRecords = 4096

// Encode writes entries. It fails for a format that is not one of this package
// and for a value of another type.
func Encode(format uint16, entries []Entry) ([]byte, error) {
	records := make([]record, 0, len(entries))
	for _, entry := range entries {
		one, err := recordOf(entry)
		if err != nil {
			return nil, err
		}
		records = append(records, one)
	}
	switch format {
	case FormatJSON:
		return encodeJSON(records)
	case FormatCBOR:
		return encodeCBOR(records)
	default:
		return nil, fmt.Errorf("content format %d is not SenML", format)
	}
}

// Decode reads a payload. Its errors wrap lwm2m.ErrMalformed.
func Decode(format uint16, data []byte) ([]Entry, error) {
	var records []record
	var err error
	switch format {
	case FormatJSON:
		records, err = decodeJSON(data)
	case FormatCBOR:
		records, err = decodeCBOR(data)
	default:
		err = malformed("content format %d is not SenML", format)
	}
	if err != nil {
		return nil, err
	}
	return resolve(records)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", lwm2m.ErrMalformed, fmt.Errorf(format, args...))
}

// record is one SenML record, without the fields that mean nothing here.
type record struct {
	baseName *string
	name     string
	value    any // of an Entry
}

// recordOf names an entry whole: no client depends on base names.
func recordOf(entry Entry) (record, error) {
	switch value := entry.Value.(type) {
	case string, bool, int64, []byte, ObjectLink, nil:
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return record{}, fmt.Errorf("%s has a value that SenML cannot say", entry.Path)
		}
	default:
		return record{}, fmt.Errorf("%s has a value of type %T", entry.Path, entry.Value)
	}
	return record{name: entry.Path.String(), value: entry.Value}, nil
}

// resolve makes entries of records: a base name holds until the next one
// (RFC 8428 section 4.6).
func resolve(records []record) ([]Entry, error) {
	if len(records) > maxRecords {
		return nil, malformed("SenML with more than %d records", maxRecords)
	}
	base := ""
	entries := make([]Entry, 0, len(records))
	for _, one := range records {
		if one.baseName != nil {
			base = *one.baseName
		}
		path, err := lwm2m.ParsePath(base + one.name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{Path: path, Value: one.value})
	}
	return entries, nil
}

// set puts a value into a record, which has one at most.
func (r *record) set(value any) error {
	if r.value != nil {
		return malformed("SenML record %q with two values", r.name)
	}
	r.value = value
	return nil
}
