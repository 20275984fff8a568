package senml

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"mbl/internal/lwm2m"
)

func everyKind() []Entry {
	return []Entry{
		{lwm2m.Path{0, 1, 0}, "coaps://host:5684"},
		{lwm2m.Path{0, 1, 1}, false},
		{lwm2m.Path{0, 1, 2}, int64(2)},
		{lwm2m.Path{0, 1, 3}, []byte{0x30, 0xff, 0x3e}},
		{lwm2m.Path{1, 0, 1}, int64(-86400)},
		{lwm2m.Path{3, 0, 9}, 1.5},
		{lwm2m.Path{3, 0, 6, 12}, ObjectLink("3:0")},
		{lwm2m.Path{3, 0, 14}, ""},
		{lwm2m.Path{3, 0}, nil},
	}
}

func TestEntriesAreWrittenAndReadAlike(t *testing.T) {
	for _, format := range []uint16{FormatJSON, FormatCBOR} {
		written, err := Encode(format, everyKind())
		if err != nil {
			t.Fatal(err)
		}
		read, err := Decode(format, written)
		if err != nil || !reflect.DeepEqual(read, everyKind()) {
			t.Errorf("%d: read %+v, %v", format, read, err)
		}
	}
}

func TestWrittenAsTheStandardSays(t *testing.T) {
	entries := []Entry{{lwm2m.Path{0, 1, 0}, "x"}, {lwm2m.Path{0, 1, 3}, []byte{0xfb, 0xff}}, {lwm2m.Path{0, 1, 2}, int64(2)}}
	text, err := Encode(FormatJSON, entries)
	if wanted := `[{"n":"/0/1/0","vs":"x"},{"n":"/0/1/3","vd":"-_8"},{"n":"/0/1/2","v":2}]`; err != nil || string(text) != wanted {
		t.Errorf("JSON %s, %v", text, err)
	}
	data, err := Encode(FormatCBOR, entries)
	wanted := "83" + "a200662f302f312f30036178" + "a200662f302f312f330842fbff" + "a200662f302f312f320202"
	if err != nil || hex.EncodeToString(data) != wanted {
		t.Errorf("CBOR %x, %v", data, err)
	}
}

// The examples of OMA LwM2M 1.1 core, sections 7.4.4 and 7.4.5, and of RFC 8428.
func TestExamplesOfTheStandardsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		format uint16
		data   string
		wanted []Entry
	}{
		"base names": {FormatJSON, `[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"9","v":100},{"bn":"/1/","n":"0/7","vs":"U","t":5,"u":"V"}]`, []Entry{
			{lwm2m.Path{3, 0, 0}, "Open Mobile Alliance"}, {lwm2m.Path{3, 0, 9}, int64(100)}, {lwm2m.Path{1, 0, 7}, "U"},
		}},
		"one resource": {FormatJSON, `[{"bn":"/3/0/9","v":95.5}]`, []Entry{{lwm2m.Path{3, 0, 9}, 95.5}}},
		"padded data":  {FormatJSON, `[{"n":"/0/0/3","vd":"-w=="}]`, []Entry{{lwm2m.Path{0, 0, 3}, []byte{0xfb}}}},
		"an exponent":  {FormatJSON, `[{"n":"/3/0/9","v":1e3}]`, []Entry{{lwm2m.Path{3, 0, 9}, 1000.0}}},
		"CBOR": {FormatCBOR, "82" + "a32165" + hex.EncodeToString([]byte("/3/0/")) + "006130" + "036141" + "a2006139021864", []Entry{
			{lwm2m.Path{3, 0, 0}, "A"}, {lwm2m.Path{3, 0, 9}, int64(100)},
		}},
		"CBOR of unknown length": {FormatCBOR, "9fbf0066" + hex.EncodeToString([]byte("/3/0/9")) + "021864ffff", []Entry{
			{lwm2m.Path{3, 0, 9}, int64(100)},
		}},
	} {
		data := []byte(test.data)
		if test.format == FormatCBOR {
			var err error
			if data, err = hex.DecodeString(test.data); err != nil {
				t.Fatal(err)
			}
		}
		read, err := Decode(test.format, data)
		if err != nil || !reflect.DeepEqual(read, test.wanted) {
			t.Errorf("%s: read %+v, %v", name, read, err)
		}
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `[`, `[]x`, `[{"n":"3//0","v":1}]`, `[{"n":"/70000","v":1}]`, `[{"n":"/1/2/3/4/5","v":1}]`, `[{"n":"/1","v":1,"vs":"x"}]`,
		`[{"n":"/1","vd":"?"}]`, `[{"n":1}]`, `[{"n":"/1","v":1e999}]`, `[` + strings.Repeat(`{"n":"/1"},`, maxRecords) + `{"n":"/1"}]`,
	} {
		if read, err := Decode(FormatJSON, []byte(text)); !errors.Is(err, lwm2m.ErrMalformed) {
			t.Errorf("%.60s: read %+v, %v", text, read, err)
		}
	}
	for _, text := range []string{
		"", "a0", "81", "8180", "81a1000a", "81a1210a", "81a20062" + "2f31" + "020303", "81a20062" + "2f31" + "0303", "81a2006131006132",
		"81a20062" + "2f31" + "02fb7ff8000000000000", "81a2006131021bffffffffffffffff",
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := Decode(FormatCBOR, data); !errors.Is(err, lwm2m.ErrMalformed) {
			t.Errorf("%s: read %+v, %v", text, read, err)
		}
	}
	if _, err := Decode(lwm2m.FormatTLV, nil); !errors.Is(err, lwm2m.ErrMalformed) {
		t.Errorf("TLV: %v", err)
	}
	if _, err := Encode(lwm2m.FormatTLV, nil); err == nil {
		t.Error("TLV is written")
	}
	if _, err := Encode(FormatJSON, []Entry{{Value: 1}}); err == nil {
		t.Error("an int is written")
	}
}

func FuzzSenML(f *testing.F) {
	for _, format := range []uint16{FormatJSON, FormatCBOR} {
		data, err := Encode(format, everyKind())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(format == FormatCBOR, data)
	}
	f.Add(false, []byte(`[{"bn":"/3/0/","n":"0","vs":"A"},{"n":"9","v":100}]`))
	f.Fuzz(func(t *testing.T, binary bool, data []byte) {
		format := FormatJSON
		if binary {
			format = FormatCBOR
		}
		read, err := Decode(format, data)
		if err != nil {
			if !errors.Is(err, lwm2m.ErrMalformed) {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		written, err := Encode(format, read)
		if err != nil {
			t.Fatalf("%q: read %+v, %v", data, read, err)
		}
		again, err := Decode(format, written)
		if err != nil || len(again) != len(read) {
			t.Fatalf("%q: read %+v, after writing %+v, %v", data, read, again, err)
		}
	})
}
