package device

import (
	"encoding/base64"
	"math"
	"strconv"

	"mbl/internal/lwm2m"
)

// dataType is what kind of value a resource holds (OMA LwM2M 1.0 appendix C).
type dataType uint8

const (
	typeText dataType = iota
	typeInteger
	typeFloat
	typeBoolean
	typeOpaque
	typeTime // seconds since 1970, an integer on the wire
)

// value is what a resource holds at the moment. The zero value is an empty
// text.
type value struct {
	kind  dataType
	plain []byte      // alone, in format
	tlv   lwm2m.TLV   // without its id
	items []lwm2m.TLV // of a multiple resource: its instances; plain is unused then
}

func textValue(text string) value {
	return value{kind: typeText, plain: []byte(text), tlv: lwm2m.Text(0, text)}
}

func opaqueValue(data []byte) value {
	return value{kind: typeOpaque, plain: data, tlv: lwm2m.Opaque(0, data)}
}

func numberValue(n int64) value {
	return value{kind: typeInteger, plain: strconv.AppendInt(nil, n, 10), tlv: lwm2m.Integer(0, n)}
}

func timeValue(seconds int64) value {
	v := numberValue(seconds)
	v.kind = typeTime
	return v
}

func floatValue(f float64) value {
	return value{kind: typeFloat, plain: strconv.AppendFloat(nil, f, 'f', -1, 64), tlv: lwm2m.Float(0, f)}
}

func booleanValue(b bool) value {
	plain := []byte("0")
	if b {
		plain = []byte("1")
	}
	return value{kind: typeBoolean, plain: plain, tlv: lwm2m.Boolean(0, b)}
}

// multipleValue is a multiple resource whose instances are numbered from 0.
func multipleValue(values ...value) value {
	items := make([]lwm2m.TLV, 0, len(values))
	for i, v := range values {
		item := v.as(uint16(i))
		item.Kind = lwm2m.ResourceInstance
		items = append(items, item)
	}
	return value{items: items, tlv: lwm2m.TLV{Kind: lwm2m.MultipleResource, Children: items}}
}

func (v value) isMultiple() bool { return v.tlv.Kind == lwm2m.MultipleResource }

// format is the content format of plain.
func (v value) format() uint16 {
	if v.kind == typeOpaque {
		return lwm2m.FormatOpaque
	}
	return lwm2m.FormatText
}

// as is the value as resource id in an object instance.
func (v value) as(id uint16) lwm2m.TLV {
	item := v.tlv
	item.ID = id
	return item
}

// attribute is the value as the registration's links carry it in v=.
func (v value) attribute() string {
	if v.kind == typeOpaque {
		return base64.StdEncoding.EncodeToString(v.plain)
	}
	return string(v.plain)
}

// parseText reads a value in the format text/plain (appendix C: opaque values
// are Base64 there).
func parseText(kind dataType, text string) (value, bool) {
	switch kind {
	case typeInteger, typeTime:
		n, err := strconv.ParseInt(text, 10, 64)
		v := numberValue(n)
		v.kind = kind
		return v, err == nil
	case typeFloat:
		f, err := strconv.ParseFloat(text, 64)
		return floatValue(f), err == nil && isFinite(f)
	case typeBoolean:
		return booleanValue(text == "1"), text == "0" || text == "1"
	case typeOpaque:
		data, err := base64.StdEncoding.DecodeString(text)
		return opaqueValue(data), err == nil
	default:
		return textValue(text), true
	}
}

// parseTLV reads a value from a resource's TLV.
func parseTLV(kind dataType, item lwm2m.TLV) (value, bool) {
	switch kind {
	case typeInteger, typeTime:
		n, err := item.Integer()
		v := numberValue(n)
		v.kind = kind
		return v, err == nil
	case typeFloat:
		f, err := item.Float()
		return floatValue(f), err == nil && isFinite(f)
	case typeBoolean:
		b, err := item.Boolean()
		return booleanValue(b), err == nil
	case typeOpaque:
		return opaqueValue(item.Value), true
	default:
		return textValue(string(item.Value)), true
	}
}

// valueOf makes a value of what Go calls it: a string, int64, float64, bool or
// []byte that fits the type.
func valueOf(kind dataType, native any) value {
	switch native := native.(type) {
	case int64:
		v := numberValue(native)
		v.kind = kind
		return v
	case float64:
		return floatValue(native)
	case bool:
		return booleanValue(native)
	case []byte:
		return opaqueValue(native)
	case string:
		return textValue(native)
	default:
		return value{kind: kind}
	}
}

// native is the inverse of valueOf.
func (v value) native() any {
	switch v.kind {
	case typeInteger, typeTime:
		n, _ := v.tlv.Integer() // made by numberValue
		return n
	case typeFloat:
		f, _ := v.tlv.Float() // made by floatValue
		return f
	case typeBoolean:
		return string(v.plain) == "1"
	case typeOpaque:
		return v.plain
	default:
		return string(v.plain)
	}
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
