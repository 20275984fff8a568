package coap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// wholeMessages are the messages of the original client and its servers that
// were recorded in whole, each with the line that describes it.
func wholeMessages(t testing.TB) map[string][]byte {
	t.Helper()
	line := regexp.MustCompile(`(?m)(?:<<|>>) ((?:CON|NON|ACK|RST) .*?)\s*\| hex ([0-9a-f]+)$`)
	files, err := filepath.Glob("../../testdata/vectors/transcripts/complete/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	messages := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range line.FindAllSubmatch(text, -1) {
			raw, err := hex.DecodeString(string(match[2]))
			if err != nil {
				t.Fatal(file, err)
			}
			messages[string(match[1])] = raw
		}
	}
	return messages
}

func TestEveryRecordedMessageIsReadAndWrittenAlike(t *testing.T) {
	messages := wholeMessages(t)
	if len(messages) < 500 {
		t.Fatalf("only %d different messages found", len(messages))
	}
	for description, raw := range messages {
		m, err := ParseMessage(raw)
		if err != nil {
			t.Errorf("%s: %v", description, err)
			continue
		}
		start := fmt.Sprintf("%s %d.%02d mid=%04x tok=%x ", m.Type, m.Code.Class(), m.Code.Detail(), m.ID, m.Token)
		if !strings.HasPrefix(description, start) {
			t.Errorf("%s: read as %s", description, m)
		}
		again, err := m.Marshal()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%s: written as %x instead of %x (%v)", description, again, raw, err)
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                       "",
		"header cut short":            "400100",
		"version 0":                   "00010001",
		"version 2":                   "80010001",
		"token cut short":             "44010001aabb",
		"token of nine bytes":         "49010001010203040506070809",
		"option value cut short":      "40010001b2aa",
		"option number reserved":      "40010001f0",
		"option length reserved":      "400100010f",
		"extended number cut short":   "40010001d0",
		"extended number cut in half": "40010001e000",
		"extended length cut short":   "40010001bd",
		"number beyond 65535":         "40010001e0fffe10",
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := ParseMessage(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v", name, m, err)
		}
	}
}

func TestAcknowledgementWithEmptyOptionIsAccepted(t *testing.T) {
	m, err := ParseMessage([]byte{0x60, 0x00, 0x12, 0x34, 0xc0})
	if err != nil {
		t.Fatal(err)
	}
	if m.Type != Acknowledgement || m.Code != Empty || m.ID != 0x1234 {
		t.Errorf("read as %s", m)
	}
}

func TestOptionsAreWrittenInOrder(t *testing.T) {
	m := &Message{Type: Confirmable, Code: PUT, ID: 7}
	m.Options.AddUint(Block1, block{number: 1, more: true, szx: 5}.value())
	m.Options.AddStrings(URIPath, []string{"rd", "device"})
	m.Options.AddUint(ContentFormat, 0)
	m.Options.Add(URIQuery, bytes.Repeat([]byte("q"), 300))
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	var order []OptionID
	for _, option := range read.Options {
		order = append(order, option.ID)
	}
	if want := []OptionID{URIPath, URIPath, ContentFormat, URIQuery, Block1}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if format, ok := read.Options.Uint(ContentFormat); !ok || format != 0 {
		t.Errorf("content format %d, %v", format, ok)
	}
	if path := read.Options.Strings(URIPath); !reflect.DeepEqual(path, []string{"rd", "device"}) {
		t.Errorf("path %q", path)
	}
}

func TestTooLargePartsAreNotWritten(t *testing.T) {
	if _, err := (&Message{Token: make([]byte, 9)}).Marshal(); err == nil {
		t.Error("a token of nine bytes was written")
	}
	m := &Message{}
	m.Options.Add(URIPath, make([]byte, 269+0xffff+1))
	if _, err := m.Marshal(); err == nil {
		t.Error("an option longer than can be said was written")
	}
}

func FuzzMessage(f *testing.F) {
	for _, raw := range wholeMessages(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseMessage(raw)
		if err != nil {
			return
		}
		written, err := m.Marshal()
		if err != nil {
			t.Fatalf("%x: read, but cannot be written: %v", raw, err)
		}
		again, err := ParseMessage(written)
		if err != nil {
			t.Fatalf("%x: written as %x, which is malformed: %v", raw, written, err)
		}
		if len(m.Payload) == 0 {
			m.Payload = again.Payload // a marker without payload is not written
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%x: read as %v, after writing as %v", raw, m, again)
		}
	})
}
