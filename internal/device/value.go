package device

import (
	"encoding/base64"
	"strconv"

	"mbl/internal/lwm2m"
)

// value is what a resource holds at the moment.
type value struct {
	plain  []byte // alone, in format
	format uint16 // lwm2m.FormatText or FormatOpaque
	tlv    lwm2m.TLV
}

func textValue(text string) value {
	return value{[]byte(text), lwm2m.FormatText, lwm2m.Text(0, text)}
}

func opaqueValue(data []byte) value {
	return value{data, lwm2m.FormatOpaque, lwm2m.Opaque(0, data)}
}

func numberValue(n int64) value {
	return value{[]byte(strconv.FormatInt(n, 10)), lwm2m.FormatText, lwm2m.Integer(0, n)}
}

func booleanValue(b bool) value {
	plain := []byte("0")
	if b {
		plain = []byte("1")
	}
	return value{plain, lwm2m.FormatText, lwm2m.Boolean(0, b)}
}

// as is the value as resource id in an object instance.
func (v value) as(id uint16) lwm2m.TLV {
	item := v.tlv
	item.ID = id
	return item
}

// attribute is the value as the registration's links carry it in v=.
func (v value) attribute() string {
	if v.format == lwm2m.FormatOpaque {
		return base64.StdEncoding.EncodeToString(v.plain)
	}
	return string(v.plain)
}
