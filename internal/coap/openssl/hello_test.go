package openssl

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// recordedHellos are the ClientHello messages of the original client, by
// transcript.
func recordedHellos(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../../testdata/vectors/transcripts/complete/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`tls read HANDSHAKE CLIENT_HELLO \d+ ([0-9a-f]+)`)
	hellos := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range line.FindAllSubmatch(text, -1) {
			hello, err := hex.DecodeString(string(match[1]))
			if err != nil {
				t.Fatal(err)
			}
			hellos[filepath.Base(file)+" "+string(match[1][len(match[1])-8:])] = hello
		}
	}
	if len(hellos) < 10 {
		t.Fatalf("only %d hellos in the transcripts", len(hellos))
	}
	return hellos
}

// inRecords cuts a handshake message into records with bodies of at most size
// bytes.
func inRecords(message []byte, size int) []byte {
	var stream []byte
	for part := range slices.Chunk(message, size) {
		stream = append(stream, recordHandshake, 3, 1, byte(len(part)>>8), byte(len(part)))
		stream = append(stream, part...)
	}
	return stream
}

func peek(stream []byte) (*clientHello, [][]byte, error) {
	return peekHello(&recordReader{source: bytes.NewReader(stream)})
}

func TestOriginalClientsAreRecognised(t *testing.T) {
	withSession := 0
	for name, message := range recordedHellos(t) {
		hello, records, err := peek(inRecords(message, maxMessage))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !hello.offersOnly(CCM8) || len(records) != 1 {
			t.Errorf("%s: offers %x in %d records", name, hello.suites, len(records))
		}
		if len(hello.sessionID) == 32 {
			withSession++
		}
	}
	if withSession == 0 {
		t.Error("no hello with a session id")
	}
}

func TestSuitesDecideWhoIsOriginal(t *testing.T) {
	for name, c := range map[string]struct {
		suites   []uint16
		original bool
	}{
		"CCM_8":                  {[]uint16{0xC0AE}, true},
		"CCM_8 and SCSV":         {[]uint16{0xC0AE, 0x00FF}, true},
		"SCSV first":             {[]uint16{0x00FF, 0xC0AE}, true},
		"GCM":                    {[]uint16{0xC02B}, false},
		"CCM_8 before GCM":       {[]uint16{0xC0AE, 0xC02B}, false},
		"GCM before CCM_8":       {[]uint16{0xC02B, 0xC0AE, 0x00FF}, false},
		"SCSV alone":             {[]uint16{0x00FF}, false},
		"fallback SCSV as well":  {[]uint16{0xC0AE, 0x5600}, false},
		"TLS 1.3 suite as well":  {[]uint16{0x1301, 0xC0AE}, false},
		"GREASE value as well":   {[]uint16{0x0A0A, 0xC0AE}, false},
		"no suite we could know": {[]uint16{0x1303}, false},
	} {
		hello := clientHello{suites: c.suites}
		if hello.offersOnly(CCM8) != c.original {
			t.Errorf("%s: original %v", name, !c.original)
		}
	}
}

func TestHelloInManyRecordsIsPutTogether(t *testing.T) {
	for name, message := range recordedHellos(t) {
		stream := inRecords(message, 7)
		hello, records, err := peek(stream)
		if err != nil || !hello.offersOnly(CCM8) {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(bytes.Join(records, nil), stream) {
			t.Errorf("%s: OpenSSL would read something else", name)
		}
	}
}

// helloWithoutSession has its session id's length in byte 38, that of its
// suites in bytes 39 and 40.
func helloWithoutSession(t *testing.T) []byte {
	t.Helper()
	for _, message := range recordedHellos(t) {
		if message[38] == 0 {
			return message
		}
	}
	t.Fatal("no hello without a session id")
	return nil
}

func TestMalformedHelloIsRefused(t *testing.T) {
	good := helloWithoutSession(t)
	changed := func(change func(message []byte) []byte) []byte {
		return inRecords(change(slices.Clone(good)), maxMessage)
	}
	at := func(i int, value byte) []byte {
		return changed(func(m []byte) []byte { m[i] = value; return m })
	}
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"nothing":                {nil, io.EOF},
		"cut in the header":      {inRecords(good, maxMessage)[:3], io.ErrUnexpectedEOF},
		"cut in the body":        {inRecords(good, maxMessage)[:40], io.ErrUnexpectedEOF},
		"HTTP":                   {[]byte("GET / HTTP/1.1\r\n\r\n"), errRecord},
		"plain CoAP":             {[]byte{0x44, 0x02, 0x1e, 0xac, 1, 2, 3, 4}, errRecord},
		"SSL 2":                  {[]byte{0x80, 0x2e, 1, 3, 1, 0, 0x15}, errRecord},
		"alert first":            {[]byte{recordAlert, 3, 3, 0, 2, 2, 40}, errHello},
		"empty record":           {[]byte{recordHandshake, 3, 1, 0, 0}, errHello},
		"record far too long":    {[]byte{recordHandshake, 3, 1, 0xFF, 0xFF}, errRecord},
		"ServerHello":            {at(0, 2), errHello},
		"far too long":           {at(1, 1), errHello},
		"session id too long":    {at(38, 33), errHello},
		"no suites":              {at(40, 0), errHello},
		"odd suites":             {at(40, 3), errHello},
		"extensions cut":         {changed(func(m []byte) []byte { m[3]--; return m[:len(m)-1] }), errHello},
		"something after it":     {changed(func(m []byte) []byte { return append(m, 0) }), errHello},
		"endless tiny fragments": {bytes.Repeat([]byte{recordHandshake, 3, 1, 0, 1, 1}, 4000), errHello},
	} {
		if _, _, err := peek(c.stream); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzClientHello(f *testing.F) {
	for _, message := range recordedHellos(f) {
		f.Add(inRecords(message, maxMessage), 11)
	}
	f.Add([]byte{recordHandshake, 3, 1, 0, 4, 1, 0, 0, 0}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		source := bytes.NewReader(stream)
		hello, records, err := peekHello(&recordReader{source: source})
		if taken := len(stream) - source.Len(); taken > maxHello+2*recordHeaderSize+maxRecordBody {
			t.Fatalf("read %d bytes of a stranger", taken)
		}
		if err != nil {
			return
		}
		if len(hello.sessionID) > 32 || len(hello.suites) == 0 {
			t.Fatalf("%+v", hello)
		}
		// However it is cut, it means the same.
		var message []byte
		for _, record := range records {
			message = append(message, record[recordHeaderSize:]...)
		}
		again, _, err := peek(inRecords(message, min(max(size, 64), maxMessage)))
		if err != nil || !slices.Equal(again.suites, hello.suites) || !bytes.Equal(again.sessionID, hello.sessionID) {
			t.Fatalf("%+v became %+v, %v", hello, again, err)
		}
	})
}

// keyExchange is a record with a ClientKeyExchange that names an identity.
func keyExchange(identity string) []byte {
	body := append([]byte{byte(len(identity) >> 8), byte(len(identity))}, identity...)
	return inRecords(append([]byte{16, 0, byte(len(body) >> 8), byte(len(body))}, body...), maxMessage)
}

func TestTheIdentityOfAPreSharedKeyIsRead(t *testing.T) {
	if identity, named, err := keyIdentity(keyExchange("gateway")); identity != "gateway" || !named || err != nil {
		t.Errorf("read %q, %v, %v", identity, named, err)
	}
	for name, record := range map[string][]byte{
		"another message":   {recordHandshake, 3, 3, 0, 1, 20},
		"an encrypted one":  {recordApplicationData, 3, 3, 0, 1, 16},
		"an empty record":   {recordHandshake, 3, 3, 0, 0},
		"a change of state": {recordChangeCipherSpec, 3, 3, 0, 1, 1},
	} {
		if identity, named, err := keyIdentity(record); identity != "" || named || err != nil {
			t.Errorf("%s: read %q, %v, %v", name, identity, named, err)
		}
	}
	whole := keyExchange("gateway")
	for name, record := range map[string][]byte{
		"cut short":       whole[:len(whole)-1],
		"with more":       append(slices.Clone(whole), 0),
		"without a name":  keyExchange(""),
		"with a NUL byte": keyExchange("gate\x00way"),
	} {
		if identity, named, err := keyIdentity(record); named || !errors.Is(err, errKeyExchange) {
			t.Errorf("%s: read %q, %v, %v", name, identity, named, err)
		}
	}
}

func FuzzKeyExchange(f *testing.F) {
	f.Add(keyExchange("gateway"))
	f.Add(keyExchange(""))
	f.Fuzz(func(t *testing.T, record []byte) {
		if len(record) < recordHeaderSize {
			return // recordReader gives no shorter ones
		}
		identity, named, err := keyIdentity(record)
		if named && (err != nil || identity == "" || !bytes.Contains(record, []byte(identity))) {
			t.Errorf("read %q, %v", identity, err)
		}
	})
}

func TestTheFirstSuiteOfAClientSaysWhatItComesWith(t *testing.T) {
	for name, c := range map[string]struct {
		suites []uint16
		key    bool
	}{
		"a key":                        {[]uint16{0xC0A8, 0x00FF}, true},
		"a key before a certificate":   {[]uint16{0x1301, 0xC0A8, 0xC0AE}, true},
		"a certificate before a key":   {[]uint16{0xC0AE, 0xC0A8}, false},
		"a certificate":                {[]uint16{0xC0AE}, false},
		"a suite we have not, neither": {[]uint16{0x00AE}, false},
	} {
		if got := (&clientHello{suites: c.suites}).prefersKey(); got != c.key {
			t.Errorf("%s: a key %v", name, got)
		}
	}
}
