package lwm2m

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const transcripts = "../../testdata/vectors/transcripts/"

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recordedTLVs are payloads from the original client and its test server: a
// written account in two blocks, a server instance, an object instance read.
func recordedTLVs(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(transcripts + "complete/l1-good.txt")
	if err != nil {
		t.Fatal(err)
	}
	payload := func(line string) []byte {
		match := regexp.MustCompile(line + `.*\| hex ([0-9a-f]+)`).FindSubmatch(text)
		if match == nil {
			t.Fatalf("no %q in the transcript", line)
		}
		_, after, found := bytes.Cut(unhex(t, string(match[1])), []byte{0xff})
		if !found {
			t.Fatalf("no payload in %q", line)
		}
		return after
	}
	return map[string][]byte{
		"account": append(payload(`Uri-Path=0; Content-Format=11542; Block1=0`), payload(`Uri-Path=0; Content-Format=11542; Block1=1`)...),
		"server":  payload(`Uri-Path=1; Content-Format=11542`),
		"10255/0": payload(`Content-Format=99`),
	}
}

func TestRecordedTLVIsReadAndWrittenAlike(t *testing.T) {
	for name, data := range recordedTLVs(t) {
		items, err := DecodeTLV(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again, err := EncodeTLV(items...); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: written as %x instead of %x (%v)", name, again, data, err)
		}
	}
}

func TestRecordedAccountIsReadAndWrittenAlike(t *testing.T) {
	data := recordedTLVs(t)["account"]
	items, err := DecodeTLV(data)
	if err != nil || len(items) != 1 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	account, err := SecurityOf(items[0])
	if err != nil {
		t.Fatal(err)
	}
	if account.ServerURI != "coaps://127.0.0.1:15685?aid=0161661e9c2b0242ac11000400000000" || account.BootstrapServer ||
		account.Mode != SecurityModeCertificate || account.ShortServerID != 123 || len(account.PrivateKey) != 121 {
		t.Errorf("read %+v", account)
	}
	if again, err := EncodeTLV(account.TLV(0)); err != nil || !bytes.Equal(again, data) {
		t.Errorf("written as %x instead of %x (%v)", again, data, err)
	}
}

func TestBrokenAccountsAreRefused(t *testing.T) {
	resources := func(resource TLV) TLV {
		return TLV{Kind: ObjectInstance, Children: []TLV{Text(SecurityServerURI, "coaps://x:1"), resource}}
	}
	for name, item := range map[string]TLV{
		"bare resource":          Text(SecurityServerURI, "coaps://x:1"),
		"flag of two bytes":      resources(Opaque(SecurityBootstrapServer, []byte{0, 1})),
		"mode beyond a byte":     resources(Opaque(SecurityMode, []byte{1, 0})),
		"mode of no bytes":       resources(Opaque(SecurityMode, nil)),
		"server id beyond range": resources(Opaque(SecurityShortServerID, []byte{1, 0, 0})),
	} {
		if account, err := SecurityOf(item); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v", name, account, err)
		}
	}
}

func TestMalformedTLVIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"type alone":                    "c1",
		"16-bit id cut short":           "e1 01",
		"length cut short":              "d0 01 01",
		"value cut short":               "c2 01 00",
		"instance in an instance":       "02 00 00 00",
		"resource instance in instance": "03 00 41 00 00",
		"resource in a multiple one":    "83 00 c1 00 00",
		"inner value cut short":         "02 00 c1 00",
	} {
		if items, err := DecodeTLV(unhex(t, text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v", name, items, err)
		}
	}
}

func TestTLVHeads(t *testing.T) {
	for _, c := range []struct {
		id     uint16
		length int
		head   string
	}{
		{1, 0, "c001"},
		{1, 7, "c701"},
		{1, 8, "c80108"},
		{0xff, 0xff, "c8ffff"},
		{0x100, 0x100, "f001000100"},
		{1, 0x10000, "d801010000"},
	} {
		data, err := EncodeTLV(Opaque(c.id, make([]byte, c.length)))
		if err != nil {
			t.Fatal(err)
		}
		if head := hex.EncodeToString(data[:len(data)-c.length]); head != c.head {
			t.Errorf("id %d, %d bytes: head %s, want %s", c.id, c.length, head, c.head)
		}
		items, err := DecodeTLV(data)
		if err != nil || len(items) != 1 || items[0].ID != c.id || len(items[0].Value) != c.length {
			t.Errorf("id %d, %d bytes: read %v", c.id, c.length, err)
		}
	}
	if _, err := EncodeTLV(Opaque(1, make([]byte, 1<<24))); err == nil {
		t.Error("a value longer than can be said was written")
	}
}

func TestNumbers(t *testing.T) {
	for n, text := range map[int64]string{
		0: "00", -1: "ff", 127: "7f", 128: "0080", -128: "80", -129: "ff7f", 32768: "00008000",
		1 << 31: "0000000080000000", -1 << 63: "8000000000000000",
	} {
		item := Integer(5, n)
		if got := hex.EncodeToString(item.Value); got != text {
			t.Errorf("%d written as %s, want %s", n, got, text)
		}
		if got, err := item.Integer(); err != nil || got != n {
			t.Errorf("%s read as %d, %v", text, got, err)
		}
	}
	if n, err := Opaque(1, unhex(t, "0000000000000e10")).Integer(); err != nil || n != 3600 {
		t.Errorf("read %d, %v", n, err)
	}
	if _, err := Opaque(1, []byte{1, 2, 3}).Integer(); !errors.Is(err, ErrMalformed) {
		t.Errorf("a number of three bytes: %v", err)
	}
}

func TestRecordedRegistrationBodiesAreReadAndWrittenAlike(t *testing.T) {
	for name, want := range map[string]struct{ target, attribute, value string }{
		"register-body-4.13.txt":  {"/10252/0/2", "rt", "State"},
		"register-body-4.1.0.txt": {"/3/0/11", "ct", "99"},
	} {
		text, err := os.ReadFile(transcripts + name)
		if err != nil {
			t.Fatal(err)
		}
		links, err := ParseLinks(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := Links(links); again != string(text) {
			t.Errorf("%s: written as %s", name, again)
		}
		found := false
		for _, link := range links {
			if value, ok := link.Attribute(want.attribute); link.Target == want.target && ok && value == want.value {
				found = true
			}
		}
		if !found {
			t.Errorf("%s: no %s with %s=%q", name, want.target, want.attribute, want.value)
		}
	}
}

func TestLinksOfOtherClients(t *testing.T) {
	for text, want := range map[string][]Link{
		"": nil,
		"</>;rt=\"oma.lwm2m\";ct=11543 , </1/0>": {
			{"/", []Attribute{{Name: "rt", Value: "oma.lwm2m"}, {Name: "ct", Value: "11543"}}},
			{"/1/0", nil},
		},
		`</3>;ver=1.1;obs`:        {{"/3", []Attribute{{Name: "ver", Value: "1.1"}, {Name: "obs", Bare: true}}}},
		`<>;v="a\"b\\c,;<>";e=""`: {{"", []Attribute{{Name: "v", Value: `a"b\c,;<>`}, {Name: "e"}}}},
		"</1>,":                   {{"/1", nil}},
		`</3/0/1>;v="13" board";aobs="2",</3/0/2>;v="C:\"`: {
			{"/3/0/1", []Attribute{{Name: "v", Value: `13" board`}, {Name: "aobs", Value: "2"}}},
			{"/3/0/2", []Attribute{{Name: "v", Value: `C:\`}}},
		},
		`</3/0/0>;v="a", "b"`:            {{"/3/0/0", []Attribute{{Name: "v", Value: `a", "b`}}}},
		"</1/0>;d,</14/0/2>;v=\"1.0\"\n": {{"/1/0", []Attribute{{Name: "d", Bare: true}}}, {"/14/0/2", []Attribute{{Name: "v", Value: "1.0"}}}},
	} {
		links, err := ParseLinks(text)
		if err != nil || !reflect.DeepEqual(links, want) {
			t.Errorf("%q: read as %+v, %v", text, links, err)
		}
	}
}

// Original clients put values into their registration as they are.
func TestLinksWithBrokenValuesCanBeReadInPart(t *testing.T) {
	for text, want := range map[string][]Link{
		`</3/0/1>;v="7";rev 2";aobs="2"`: {{"/3/0/1", []Attribute{{Name: "v", Value: `7";rev 2`}, {Name: "aobs", Value: "2"}}}},
		`</3/0/1>;v="7";x;y";aobs="2";obs,</3/0/2>;v="1"`: {
			{"/3/0/1", []Attribute{{Name: "aobs", Value: "2"}, {Name: "obs", Bare: true}}},
			{"/3/0/2", []Attribute{{Name: "v", Value: "1"}}},
		},
		`</3/0/1>;v="a",<b>";aobs="2",</1/0>`: {{"/3/0/1", []Attribute{{Name: "v", Value: "a"}}}, {"/1/0", nil}},
		`</3/0/1>;v="unfinished`:              {{"/3/0/1", nil}},
		"</1/0":                               {{"/1/0", nil}},
		"no links":                            nil,
	} {
		links, err := ParseLinks(text)
		if err != nil {
			links = ReadableLinks(text)
		}
		if len(links) != len(want) || fmt.Sprintf("%+v", links) != fmt.Sprintf("%+v", want) {
			t.Errorf("%q: read as %+v", text, links)
		}
	}
}

func TestMalformedLinksAreRefused(t *testing.T) {
	for _, text := range []string{
		"/3/0", "</3/0", "</3/0>;", "</3/0>;=x", `</3/0>;v="x`, `</3/0>;v="x\`, "</3/0></1/0>", "</3/0>x", ",", "</3/0>,,</1>", `</3>;"a"=b`, `</3>;v="x"y`,
		"</1>; pmin = 5",
	} {
		if links, err := ParseLinks(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: read as %+v, %v", text, links, err)
		}
	}
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]Path{"/": {}, "": {}, "/3": {3}, "3/0/0": {3, 0, 0}, "/65535/0/1/2": {65535, 0, 1, 2}} {
		path, err := ParsePath(text)
		if err != nil || !reflect.DeepEqual(path, want) {
			t.Errorf("%q: read as %v, %v", text, path, err)
		}
	}
	if text := (Path{3, 0, 13}).String(); text != "/3/0/13" {
		t.Errorf("written as %s", text)
	}
	if text := (Path{}).String(); text != "/" {
		t.Errorf("the root is written as %s", text)
	}
	for _, text := range []string{"/3/", "//", "/a", "/65536", "/-1", "/03", "/1/2/3/4/5", "/1/2?x"} {
		if path, err := ParsePath(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: read as %v, %v", text, path, err)
		}
	}
}

func FuzzTLV(f *testing.F) {
	for _, data := range recordedTLVs(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := DecodeTLV(data)
		if err != nil {
			return
		}
		written, err := EncodeTLV(items...)
		if err != nil || len(written) > len(data) {
			t.Fatalf("%x: written as %x, %v", data, written, err)
		}
		again, err := DecodeTLV(written)
		if err != nil || !sameTLVs(items, again) {
			t.Fatalf("%x: read as %+v, after writing as %+v, %v", data, items, again, err)
		}
	})
}

func sameTLVs(a, b []TLV) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || a[i].ID != b[i].ID || !bytes.Equal(a[i].Value, b[i].Value) ||
			!sameTLVs(a[i].Children, b[i].Children) {
			return false
		}
	}
	return true
}

func FuzzLinks(f *testing.F) {
	for _, name := range []string{"register-body-4.13.txt", "register-body-4.1.0.txt"} {
		text, err := os.ReadFile(transcripts + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`</>;rt="oma.lwm2m";ct=11543,</1/0>;v="a\"b"`)
	f.Add(`</3/0/1>;v="7";x;y";aobs="2",</1/0>`)
	f.Fuzz(func(t *testing.T, text string) {
		links, err := ParseLinks(text)
		if err != nil {
			links = ReadableLinks(text)
		}
		again, err := ParseLinks(Links(links))
		if err != nil || !reflect.DeepEqual(links, again) {
			t.Fatalf("%q: read as %+v, after writing as %+v, %v", text, links, again, err)
		}
	})
}
