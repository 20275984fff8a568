package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

var ofStreams = []Suite{ECDHEECDSACCM8, ECDHEECDSAGCM}

// streams are both sides of a connection.
func streams(t testing.TB, suite Suite) (client, server *Stream) {
	t.Helper()
	client, err := NewStream(clientsSecrets(suite), Passed{1, 1, 1 << 63})
	if err != nil {
		t.Fatal(err)
	}
	server, err = NewStream(secrets(suite), Passed{1, 1, 0x0102030405060707})
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func sealOf(t testing.TB, s *Stream, kind Kind, content string) []byte {
	t.Helper()
	sealed, err := s.Seal(kind, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestStreamsCarryMessagesBothWays(t *testing.T) {
	for _, suite := range ofStreams {
		client, server := streams(t, suite)
		for _, size := range []int{1, 15, 16, 17, 1000, MostContent} {
			text := strings.Repeat("x", size)
			for _, way := range []struct{ from, to *Stream }{{client, server}, {server, client}} {
				got, answer, err := way.to.Open(sealOf(t, way.from, ApplicationData, text))
				if err != nil || answer != nil || string(got) != text {
					t.Fatalf("%#04x: %d bytes arrive as %d, %v", uint16(suite), size, len(got), err)
				}
			}
		}
		if got, answer, err := server.Open(sealOf(t, client, ApplicationData, "")); got != nil || answer != nil || err != nil {
			t.Errorf("an empty record is %q, %q, %v", got, answer, err)
		}
		if _, err := client.Seal(ApplicationData, make([]byte, MostContent+1)); err == nil {
			t.Error("a record is too long")
		}
		if _, _, err := server.Open(sealOf(t, client, Alert, string(CloseNotify()))); !errors.Is(err, io.EOF) {
			t.Errorf("the end is %v", err)
		}
	}
}

func TestStreamsRecordsOfKnownSecrets(t *testing.T) {
	for suite, known := range map[Suite]string{ECDHEECDSACCM8: knownStreamCCM8, ECDHEECDSAGCM: knownStreamGCM} {
		_, server := streams(t, suite)
		if got := hex.EncodeToString(sealOf(t, server, ApplicationData, "content")); got != known {
			t.Errorf("%#04x:\n%s", uint16(suite), got)
		}
	}
}

// alertOf opens an alert that a stream answers with.
func alertOf(t *testing.T, to *Stream, answer []byte) string {
	t.Helper()
	kind, content, description := to.decrypt(answer)
	if kind != Alert || description != 0 {
		t.Fatalf("the answer %x is of kind %d, alert %d", answer, kind, description)
	}
	return string(content)
}

func TestABrokenRecordEndsAStream(t *testing.T) {
	for what, c := range map[string]struct {
		broken func(record []byte) []byte
		alert  byte
	}{
		"a bit":         {func(r []byte) []byte { r[20] ^= 1; return r }, badRecordMAC},
		"its kind":      {func(r []byte) []byte { r[0] = byte(Alert); return r }, badRecordMAC},
		"its version":   {func(r []byte) []byte { r[2] = 2; return r }, protocolVersion},
		"without a tag": {func(r []byte) []byte { return r[:12] }, badRecordMAC},
		"nothing":       {func(r []byte) []byte { return r[:5] }, badRecordMAC},
		"too long":      {func(r []byte) []byte { return append(r, make([]byte, MostContent+1)...) }, recordOverflow},
	} {
		client, server := streams(t, ECDHEECDSACCM8)
		message, answer, err := server.Open(c.broken(sealOf(t, client, ApplicationData, "content")))
		if message != nil || !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %q, %v", what, message, err)
		}
		if alert := alertOf(t, client, answer); alert != string([]byte{levelFatal, c.alert}) {
			t.Errorf("%s: answered %x", what, alert)
		}
	}
}

func TestRecordsOfAStreamComeOnceAndInOrder(t *testing.T) {
	client, server := streams(t, ECDHEECDSAGCM)
	first, second := sealOf(t, client, ApplicationData, "1"), sealOf(t, client, ApplicationData, "2")
	if _, _, err := server.Open(bytes.Clone(second)); !errors.Is(err, ErrBroken) {
		t.Errorf("the second is first: %v", err)
	}
	if _, _, err := server.Open(bytes.Clone(first)); err != nil {
		t.Error(err)
	}
	if _, _, err := server.Open(first); !errors.Is(err, ErrBroken) {
		t.Errorf("the first again: %v", err)
	}
}

func TestWhatIsNotApplicationData(t *testing.T) {
	for what, c := range map[string]struct {
		kind    Kind
		content string
		answer  string
		broken  bool
	}{
		"a new handshake": {Handshake, "\x01\x00\x00\x00", string([]byte{levelWarning, noRenegotiation}), false},
		"a warning":       {Alert, "\x01\x5a", "", false},
		"a fatal alert":   {Alert, "\x02\x14", "", true},
		"half an alert":   {Alert, "\x02", "", false},
		"a cipher spec":   {ChangeCipherSpec, "\x01", string([]byte{levelFatal, unexpectedMessage}), true},
		"something":       {99, "\x01", string([]byte{levelFatal, unexpectedMessage}), true},
	} {
		client, server := streams(t, ECDHEECDSACCM8)
		message, answer, err := server.Open(sealOf(t, client, c.kind, c.content))
		if message != nil || errors.Is(err, ErrBroken) != c.broken {
			t.Errorf("%s: %q, %v", what, message, err)
		}
		got := ""
		if answer != nil {
			got = alertOf(t, client, answer)
		}
		if got != c.answer {
			t.Errorf("%s: answered %x, not %x", what, got, c.answer)
		}
	}
}

func TestNoNonceOfAStreamIsUsedTwice(t *testing.T) {
	client, _ := streams(t, ECDHEECDSAGCM)
	client.explicit, client.last = math.MaxUint64-1, math.MaxUint64-2 // of the handshake's record
	seen := map[string]bool{}
	for i := range 1000 {
		sealed := sealOf(t, client, ApplicationData, "x")
		nonce := string(sealed[streamHeaderSize : streamHeaderSize+explicitSize])
		if seen[nonce] {
			t.Fatalf("nonce %x comes again as number %d", nonce, i)
		}
		seen[nonce] = true
	}
	client.explicit = client.last
	if _, err := client.Seal(ApplicationData, nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("the handshake's nonce is used: %v", err)
	}
	client.explicit, client.sent = 1, math.MaxUint64
	if _, err := client.Seal(ApplicationData, nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("the last number is used: %v", err)
	}
}

func FuzzStream(f *testing.F) {
	client, _ := streams(f, ECDHEECDSACCM8)
	f.Add(sealOf(f, client, ApplicationData, "content"))
	f.Add([]byte{23, 3, 3, 0, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		_, server := streams(t, ECDHEECDSACCM8)
		message, _, err := server.Open(record)
		if message != nil && string(message) != "content" || err != nil && message != nil {
			t.Errorf("%x is read as %q, %v", record, message, err)
		}
	})
}

// A peer may have sent its Finished in pieces.
func TestAStreamGoesOnFromWhatHasPassed(t *testing.T) {
	client, err := NewStream(clientsSecrets(ECDHEECDSACCM8), Passed{2, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewStream(secrets(ECDHEECDSACCM8), Passed{1, 2, 0})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := server.Open(sealOf(t, client, ApplicationData, "up")); err != nil || string(got) != "up" {
		t.Errorf("up comes %q, %v", got, err)
	}
	if got, _, err := client.Open(sealOf(t, server, ApplicationData, "down")); err != nil || string(got) != "down" {
		t.Errorf("down comes %q, %v", got, err)
	}
	for _, passed := range []Passed{{}, {Sent: 1}, {Received: 1}} {
		if _, err := NewStream(secrets(ECDHEECDSACCM8), passed); err == nil {
			t.Errorf("%+v is a handshake that is done", passed)
		}
	}
}
