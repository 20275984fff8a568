package coap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"

	"mbl/internal/coap/record"
)

// offeringDraftID is the extension by which a client wants no id itself.
type offeringDraftID struct{ draftExtension }

func (offeringDraftID) Marshal() ([]byte, error) { return []byte{0, draftIDExtension, 0, 1, 0}, nil }

// draftClient makes the DTLS library's client one of the draft, on the way
// between it and the server.
type draftClient struct {
	t *testing.T

	mu   sync.Mutex
	told overheard
	id   []byte // from ServerHello
}

func (c *draftClient) options() []dtls.ClientOption {
	return []dtls.ClientOption{
		dtls.WithKeyLogWriter(c),
		dtls.WithClientHelloMessageHook(func(hello handshake.MessageClientHello) handshake.Message {
			hello.Extensions = append(append([]extension.Extension{}, hello.Extensions...), offeringDraftID{})
			return &hello
		}),
	}
}

// Write takes in a line of the client's key log.
func (c *draftClient) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told.Write(line)
}

func (c *draftClient) hasID() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.id) > 0
}

// down looks for ServerHello.
func (c *draftClient) down(datagram []byte) [][]byte {
	const randomAt = recordHeaderSize + handshakeHeaderSize + 2
	c.mu.Lock()
	defer c.mu.Unlock()
	head := []byte{0, draftIDExtension, 0, 1 + peerIDSize, peerIDSize}
	if at := bytes.Index(datagram, head); at >= 0 && c.id == nil {
		c.id = bytes.Clone(datagram[at+len(head):][:peerIDSize])
		c.told.secrets.ServerRandom = bytes.Clone(datagram[randomAt:][:randomSize])
	}
	return [][]byte{datagram}
}

// up puts the id on what is encrypted.
func (c *draftClient) up(datagram []byte) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var translated []byte
	for rest := datagram; ; {
		r, after, ok := record.Cut(rest, 0)
		if !ok {
			return [][]byte{translated}
		}
		if r.Epoch() == 0 {
			translated = append(translated, rest[:len(rest)-len(after)]...)
		} else {
			translated = append(translated, c.withID(r)...)
		}
		rest = after
	}
}

func (c *draftClient) withID(r record.Record) []byte {
	secrets := c.told.secrets
	secrets.Suite = record.ECDHEECDSACCM8
	plain, err := record.NewAssociation(secrets, record.IDs{}, 0)
	if err != nil {
		c.t.Error(err)
		return nil
	}
	content, err := plain.Open(r)
	if err != nil {
		c.t.Error(err)
		return nil
	}
	secrets.Client = true
	draft, err := record.NewAssociation(secrets, record.IDs{Own: []byte{}, Peer: c.id, Draft: true}, r.Number())
	if err != nil {
		c.t.Error(err)
		return nil
	}
	sealed, err := draft.Seal(content.Kind, content.Data)
	if err != nil {
		c.t.Error(err)
	}
	return sealed
}

// The original client over UDP has the connection ids of a draft.
func TestAClientWithAnIDOfTheDraftMayMove(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	c := &draftClient{t: t}
	var lost atomic.Bool
	r.filter(c.up, func(datagram []byte) [][]byte {
		if one, _, ok := record.Cut(datagram, 0); ok && one.Epoch() == 0 && datagram[0] == byte(record.ChangeCipherSpec) && lost.CompareAndSwap(false, true) {
			return nil // our last flight: the client repeats its own
		}
		return c.down(datagram)
	})
	conn := dialLibrary(t, s, r, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, nil, c.options()...)
	server := acceptFrom(t, s.listener)
	if !c.hasID() {
		t.Fatal("the client was given no id")
	}
	for i := range 3 {
		passBothWays(t, conn, server, fmt.Sprint("message ", i))
	}
	before := server.RemoteAddr().String()
	r.move(s.listener.Addr().String())
	passBothWays(t, conn, server, "from elsewhere")
	if server.RemoteAddr().String() == before || !lost.Load() {
		t.Errorf("the client is still at %s; a flight was lost: %v", before, lost.Load())
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

func TestWhoOffersWhichConnectionID(t *testing.T) {
	for name, c := range map[string]struct {
		extensions string
		draft      bool
	}{
		"the original's offer":        {"\x00\xfe\x00\x01\x00", true},
		"both kinds":                  {"\x00\xfe\x00\x01\x00\x00\x36\x00\x01\x00", false},
		"an id wanted on our records": {"\x00\xfe\x00\x02\x01x", false},
		"malformed":                   {"\x00\xfe\x00\x01\x05", false},
		"none":                        {"\x00\x17\x00\x00", false},
	} {
		after := "\x00\x02\xc0\xae\x01\x00" // suites and compression methods
		hello := &clientHello{after: append([]byte(after), 0, byte(len(c.extensions))), settled: len(after)}
		hello.after = append(hello.after, c.extensions...)
		if got := hello.takesDraftID(); got != c.draft {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Only what the client has sent of the handshake is handed on.
func TestWhatCannotBeTranslatedIsDropped(t *testing.T) {
	secrets := record.Secrets{
		Suite: record.ECDHEECDSACCM8, Master: bytes.Repeat([]byte{1}, 48),
		ClientRandom: bytes.Repeat([]byte{2}, 32), ServerRandom: bytes.Repeat([]byte{3}, 32),
	}
	asClient := secrets
	asClient.Client = true
	d := &draftID{id: peerID([]byte("8 bytes."))}
	client, err := record.NewAssociation(asClient, record.IDs{Own: []byte{}, Peer: d.id[:], Draft: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(kind record.Kind) []byte {
		data, err := client.Seal(kind, []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	finished, data, forged := sealed(record.Handshake), sealed(record.ApplicationData), sealed(record.Handshake)
	forged[len(forged)-1] ^= 1
	for range 3 * maxHeld { // nobody can have us keep more
		d.readable(forged)
	}
	if len(d.held) != maxHeld {
		t.Errorf("%d records wait", len(d.held))
	}
	if plain := d.learn(secrets); len(plain) > 0 {
		t.Errorf("handed on %x", plain)
	}
	if plain := d.readable(append(data, forged...)); len(plain) > 0 {
		t.Errorf("handed on %x", plain)
	}
	one, _, ok := record.Cut(d.readable(finished), 0)
	if !ok || one.HasID() || one.Number() != 0 || one.Epoch() != 1 {
		t.Errorf("made %+v of the client's last record", one)
	}
}
