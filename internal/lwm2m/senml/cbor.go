package senml

import (
	"math"

	"github.com/fxamacker/cbor/v2"
)

// Labels of a record in CBOR (RFC 8428 section 6). LwM2M's own one is a text.
const (
	labelBaseName   int64 = -2
	labelName       int64 = 0
	labelNumber     int64 = 2
	labelText       int64 = 3
	labelBoolean    int64 = 4
	labelData       int64 = 8
	labelObjectLink       = "vlo"
)

func encodeCBOR(records []record) ([]byte, error) {
	written := make([]map[any]any, 0, len(records))
	for _, one := range records {
		fields := map[any]any{labelName: one.name}
		switch value := one.value.(type) {
		case string:
			fields[labelText] = value
		case bool:
			fields[labelBoolean] = value
		case int64, float64:
			fields[labelNumber] = value
		case []byte:
			fields[labelData] = value
		case ObjectLink:
			fields[labelObjectLink] = string(value)
		}
		written = append(written, fields)
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(written)
}

func decodeCBOR(data []byte) ([]record, error) {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  8,
		MaxArrayElements: maxRecords,
		MaxMapPairs:      32,
		IntDec:           cbor.IntDecConvertSignedOrFail,
	}.DecMode()
	if err != nil {
		return nil, err
	}
	var read []map[any]any
	if err := mode.Unmarshal(data, &read); err != nil {
		return nil, malformed("SenML CBOR: %w", err)
	}
	records := make([]record, 0, len(read))
	for _, fields := range read {
		one, err := cborRecord(fields)
		if err != nil {
			return nil, err
		}
		records = append(records, one)
	}
	return records, nil
}

// cborRecord reads the labels that mean something here; the others are of
// times and units.
func cborRecord(fields map[any]any) (record, error) {
	var read record
	if value, has := fields[labelBaseName]; has {
		base, ok := value.(string)
		if !ok {
			return record{}, malformed("SenML CBOR base name of type %T", value)
		}
		read.baseName = &base
	}
	if value, has := fields[labelName]; has {
		name, ok := value.(string)
		if !ok {
			return record{}, malformed("SenML CBOR name of type %T", value)
		}
		read.name = name
	}
	for _, label := range []any{labelNumber, labelText, labelBoolean, labelData, labelObjectLink} {
		value, has := fields[label]
		if !has {
			continue
		}
		typed, ok := typedAs(label, value)
		if !ok {
			return record{}, malformed("SenML CBOR value %v of type %T", label, value)
		}
		if err := read.set(typed); err != nil {
			return record{}, err
		}
	}
	return read, nil
}

// typedAs checks that a value is of the type its label says.
func typedAs(label, value any) (typed any, ok bool) {
	switch value := value.(type) {
	case int64:
		return value, label == labelNumber
	case float64:
		return value, label == labelNumber && !math.IsNaN(value) && !math.IsInf(value, 0)
	case bool:
		return value, label == labelBoolean
	case []byte:
		return value, label == labelData
	case string:
		if label == labelObjectLink {
			return ObjectLink(value), true
		}
		return value, label == labelText
	default:
		return nil, false
	}
}
