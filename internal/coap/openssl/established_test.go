//go:build openssl

package openssl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
)

// nonces are the explicit parts of the nonces of a side's encrypted records, in
// their order (RFC 5246 §6.2.3.3).
func nonces(t *testing.T, stream *bytes.Buffer) []uint64 {
	t.Helper()
	var found []uint64
	encrypted := false
	for reader := (recordReader{source: stream}); ; {
		record, err := reader.next()
		switch {
		case errors.Is(err, io.EOF):
			return found
		case err != nil:
			t.Fatal(err)
		case record[0] == recordChangeCipherSpec:
			encrypted = true
		case encrypted:
			found = append(found, binary.BigEndian.Uint64(record[recordHeaderSize:]))
		}
	}
}

// OpenSSL makes the first encrypted record of a side and we all others, with the
// same key: they count on.
func TestNoncesCountOnFromOpenSSLs(t *testing.T) {
	for _, suite := range []Suite{CCM8, GCM} {
		s := newSite(t, ListenConfig{Sessions: NewMemory(10)})
		s.dial.Suite = suite
		for _, resumed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, resumed %v", suite, resumed), func(t *testing.T) {
				tap := newTap(t, s.address())
				client, err := Dial(limit(t), tap.address, s.dial)
				if err != nil {
					t.Fatal(err)
				}
				server := s.accept(t)
				if client.Resumed() != resumed {
					t.Fatalf("resumed: %v", client.Resumed())
				}
				s.dial.Resume = client.Session()
				for range 3 {
					pass(t, client, server, "up")
					pass(t, server, client, "down")
				}
				_ = server.Close()
				_ = client.Close()
				tap.finished.Wait()
				for way, stream := range map[string]*bytes.Buffer{"up": &tap.up, "down": &tap.down} {
					found := nonces(t, stream)
					if len(found) != 5 { // Finished, three messages, close_notify
						t.Errorf("%s: %d encrypted records", way, len(found))
					}
					for i := range found[1:] {
						if found[i+1] != found[i]+1 {
							t.Errorf("%s: %x follows %x", way, found[i+1], found[i])
						}
					}
				}
			})
		}
	}
}
