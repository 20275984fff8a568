package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pion/dtls/v3/pkg/crypto/ciphersuite"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
)

// every suite there are keys for.
var every = []Suite{ECDHEECDSACCM8, ECDHEECDSAGCM, PSKCCM8, PSKCCM, PSKGCM, PSKCBC, ECDHEPSKCBC}

func secrets(suite Suite) Secrets {
	return Secrets{
		Suite:        suite,
		Master:       bytes.Repeat([]byte{1}, 48),
		ClientRandom: bytes.Repeat([]byte{2}, 32),
		ServerRandom: bytes.Repeat([]byte{3}, 32),
	}
}

func clientsSecrets(suite Suite) Secrets {
	s := secrets(suite)
	s.Client = true
	return s
}

// pair is both sides of an association. With ids each puts one on its records.
func pair(t testing.TB, suite Suite, ids bool) (client, server *Association) {
	t.Helper()
	ofClient, ofServer := IDs{}, IDs{}
	if ids {
		ofServer = IDs{Own: []byte("8 bytes."), Peer: []byte("peer")}
		ofClient = IDs{Own: ofServer.Peer, Peer: ofServer.Own}
	}
	client, err := NewAssociation(clientsSecrets(suite), ofClient, 1)
	if err != nil {
		t.Fatal(err)
	}
	server, err = NewAssociation(secrets(suite), ofServer, 1)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func seal(t testing.TB, a *Association, kind Kind, content string) []byte {
	t.Helper()
	sealed, err := a.Seal(kind, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// open reads a datagram of one record.
func open(t testing.TB, a *Association, datagram []byte) (Content, error) {
	t.Helper()
	r, rest, ok := Cut(datagram, len(a.ownID))
	if !ok || len(rest) != 0 {
		t.Fatalf("not one record: %x", datagram)
	}
	return a.Open(r)
}

// withIDs tells whether a suite is to be tried without and with connection ids.
func withIDs(suite Suite) []bool {
	if suite.UsesCBC() {
		return []bool{false}
	}
	return []bool{false, true}
}

// forEach runs a test for every suite, with and without connection ids.
func forEach(t *testing.T, test func(t *testing.T, client, server *Association)) {
	for _, suite := range every {
		for _, ids := range withIDs(suite) {
			t.Run(fmt.Sprintf("%#04x ids %v", uint16(suite), ids), func(t *testing.T) {
				client, server := pair(t, suite, ids)
				test(t, client, server)
			})
		}
	}
}

func TestContentsArriveAsTheyWereSent(t *testing.T) {
	forEach(t, func(t *testing.T, client, server *Association) {
		for _, size := range []int{0, 1, 15, 16, 17, 100, 1200} {
			for _, way := range []struct{ from, to *Association }{{client, server}, {server, client}} {
				text := string(bytes.Repeat([]byte{byte(size), 0}, size))
				got, err := open(t, way.to, seal(t, way.from, ApplicationData, text))
				if err != nil || got.Kind != ApplicationData || string(got.Data) != text || !got.Newest {
					t.Fatalf("of %d bytes arrived %+v, %v", len(text), got, err)
				}
			}
		}
		got, err := open(t, server, seal(t, client, Alert, string(CloseNotify())))
		if ends, clean := Ends(got.Data); err != nil || got.Kind != Alert || !ends || !clean {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// library makes the record that the DTLS library makes.
func library(t *testing.T, s Secrets, header recordlayer.Header, content []byte) []byte {
	t.Helper()
	size, iv := 0, 4
	if s.Suite.UsesCBC() {
		size, iv = 32, 16
	}
	k, err := prf.GenerateEncryptionKeys(s.Master, s.ClientRandom, s.ServerRandom, size, 16, iv, sha256.New)
	if err != nil {
		t.Fatal(err)
	}
	var suite interface {
		Encrypt(*recordlayer.RecordLayer, []byte) ([]byte, error)
	}
	switch {
	case s.Suite.UsesCBC():
		suite, err = ciphersuite.NewCBC(k.ClientWriteKey, k.ClientWriteIV, k.ClientMACKey, k.ServerWriteKey, k.ServerWriteIV, k.ServerMACKey, sha256.New)
	case s.Suite.usesGCM():
		suite, err = ciphersuite.NewGCM(k.ClientWriteKey, k.ClientWriteIV, k.ServerWriteKey, k.ServerWriteIV)
	default:
		suite, err = ciphersuite.NewCCM(ciphersuite.CCMTagLen(s.Suite.tagSize()), k.ClientWriteKey, k.ClientWriteIV, k.ServerWriteKey, k.ServerWriteIV)
	}
	if err != nil {
		t.Fatal(err)
	}
	header.Version = protocol.Version1_2
	header.Epoch = 1
	header.ContentLen = uint16(len(content))
	raw, err := header.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := suite.Encrypt(&recordlayer.RecordLayer{Header: header}, append(raw, content...))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestRecordsAreThoseOfTheLibrary(t *testing.T) {
	for _, suite := range every {
		for _, ids := range withIDs(suite) {
			header := recordlayer.Header{ContentType: protocol.ContentTypeApplicationData, SequenceNumber: 1}
			content := []byte("content")
			client, server := pair(t, suite, ids)
			if ids {
				header.ContentType, header.ConnectionID = protocol.ContentTypeConnectionID, client.peerID
				content = append(content, byte(ApplicationData))
			}
			theirs := library(t, secrets(suite), header, content)
			if got, err := open(t, server, bytes.Clone(theirs)); err != nil || string(got.Data) != "content" {
				t.Errorf("%#04x: of the library's record we read %q, %v", suite, got.Data, err)
			}
			ours := seal(t, client, ApplicationData, "content")
			if !suite.UsesCBC() && !bytes.Equal(ours, theirs) { // CBC's begin with a random number
				t.Errorf("%#04x, ids %v: ours is\n%x, the library's\n%x", suite, ids, ours, theirs)
			}
		}
	}
}

func TestRecordsOfKnownSecrets(t *testing.T) {
	client, _ := pair(t, ECDHEECDSACCM8, false)
	if got := fmt.Sprintf("%x", seal(t, client, ApplicationData, "content")); got != knownCCM8 {
		t.Errorf("without ids:\n%s", got)
	}
	client, _ = pair(t, ECDHEECDSACCM8, true)
	if got := fmt.Sprintf("%x", seal(t, client, ApplicationData, "content")); got != knownCCM8WithID {
		t.Errorf("with ids:\n%s", got)
	}
	client, err := NewAssociation(clientsSecrets(ECDHEECDSACCM8), IDs{Own: []byte{}, Peer: []byte("8 bytes."), Draft: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", seal(t, client, ApplicationData, "content")); got != knownCCM8Draft {
		t.Errorf("with ids of the draft:\n%s", got)
	}
	client, _ = pair(t, ECDHEECDSAGCM, false)
	if got := fmt.Sprintf("%x", seal(t, client, ApplicationData, "content")); got != knownGCM {
		t.Errorf("GCM:\n%s", got)
	}
}

func TestNoRecordCountsTwice(t *testing.T) {
	forEach(t, func(t *testing.T, client, server *Association) {
		var sent [][]byte
		for i := range 200 {
			sent = append(sent, seal(t, client, ApplicationData, fmt.Sprint(i)))
		}
		order := rand.Perm(windowSize) // any order within the window
		for _, i := range order {
			if _, err := open(t, server, bytes.Clone(sent[i])); err != nil {
				t.Fatalf("number %d: %v", i, err)
			}
		}
		for _, i := range order {
			if _, err := open(t, server, bytes.Clone(sent[i])); !errors.Is(err, ErrReplayed) {
				t.Fatalf("number %d again: %v", i, err)
			}
		}
		if got, err := open(t, server, bytes.Clone(sent[199])); err != nil || !got.Newest {
			t.Fatalf("the newest: %v", err)
		}
		if got, err := open(t, server, bytes.Clone(sent[199-windowSize+1])); err != nil || got.Newest {
			t.Errorf("an old one: %v, newest %v", err, got.Newest)
		}
		if _, err := open(t, server, bytes.Clone(sent[199-windowSize])); !errors.Is(err, ErrReplayed) {
			t.Errorf("one that is too old to tell: %v", err)
		}
	})
}

func TestWhatIsForgedChangesNothing(t *testing.T) {
	forEach(t, func(t *testing.T, client, server *Association) {
		record := seal(t, client, ApplicationData, "content")
		for bit := range 8 * len(record) {
			forged := bytes.Clone(record)
			forged[bit/8] ^= 1 << (bit % 8)
			r, _, ok := Cut(forged, len(server.ownID))
			if !ok {
				continue
			}
			if got, err := server.Open(r); err == nil {
				t.Fatalf("with bit %d changed it is %+v", bit, got)
			}
		}
		for size := range record {
			short := bytes.Clone(record[:size])
			at := idAt + len(server.ownID)
			if size < at+2 {
				continue
			}
			binary.BigEndian.PutUint16(short[at:], uint16(size-at-2))
			if r, _, ok := Cut(short, len(server.ownID)); ok {
				if got, err := server.Open(r); err == nil {
					t.Fatalf("of %d bytes it is %+v", size, got)
				}
			}
		}
		if server.seen != (window{}) {
			t.Errorf("the window is %+v", server.seen)
		}
		if _, err := open(t, server, record); err != nil {
			t.Error(err)
		}
	})
}

// The library's CBC takes a ChangeCipherSpec as it is.
func TestAForgedChangeCipherSpecIsNotSeen(t *testing.T) {
	forEach(t, func(t *testing.T, client, server *Association) {
		h := header{kind: ChangeCipherSpec, version: dtlsVersion, epoch: epoch, number: 1 << 40}
		if _, err := open(t, server, append(h.append(nil, 1), 1)); !errors.Is(err, ErrUnexpected) {
			t.Errorf("it is read: %v", err)
		}
		if _, err := open(t, server, seal(t, client, ApplicationData, "content")); err != nil {
			t.Error(err)
		}
	})
}

func TestRecordsOfOthersAreNotRead(t *testing.T) {
	client, server := pair(t, ECDHEECDSACCM8, true)
	without, plain := pair(t, ECDHEECDSACCM8, false)
	record := seal(t, client, ApplicationData, "content")
	other := bytes.Clone(record)
	other[idAt] ^= 1
	plaintext := bytes.Clone(record)
	plaintext[4] = 0
	later := bytes.Clone(record)
	later[4] = 2
	for what, one := range map[string][]byte{"another id": other, "epoch 0": plaintext, "epoch 2": later, "no id": seal(t, without, ApplicationData, "content")} {
		if _, err := open(t, server, one); !errors.Is(err, ErrUnexpected) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r, _, _ := Cut(record, len(server.ownID))
	if _, err := plain.Open(r); !errors.Is(err, ErrUnexpected) {
		t.Errorf("an id where none was agreed on: %v", err)
	}
}

// Peers that repeat their Finished do so with its number, as often as they
// like.
func TestARepeatedHandshakeMessageIsRead(t *testing.T) {
	forEach(t, func(t *testing.T, client, server *Association) {
		finished := seal(t, client, Handshake, "finished")
		for range 3 {
			if got, err := open(t, server, bytes.Clone(finished)); err != nil || got.Kind != Handshake || got.Newest {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
	})
}

// nonceOf is what tells a sealed record's nonce from those of others under the
// same key.
func nonceOf(sealed []byte, idSize int) string {
	at := headerSize + idSize
	return string(sealed[at : at+explicitSize])
}

func TestNoNonceIsUsedTwice(t *testing.T) {
	forEach(t, func(t *testing.T, client, _ *Association) {
		seen := map[string]bool{}
		for i := range 10_000 {
			kind := ApplicationData
			if i%3 == 0 {
				kind = Alert
			}
			nonce := nonceOf(seal(t, client, kind, "x"), len(client.peerID))
			if seen[nonce] {
				t.Fatalf("nonce %x comes again as number %d", nonce, i)
			}
			seen[nonce] = true
		}
	})
}

func TestNumbersEnd(t *testing.T) {
	forEach(t, func(t *testing.T, client, server *Association) {
		client.next = lastNumber
		if got, err := open(t, server, seal(t, client, ApplicationData, "last")); err != nil || string(got.Data) != "last" {
			t.Fatalf("the last: %v", err)
		}
		for range 2 {
			if _, err := client.Seal(ApplicationData, nil); !errors.Is(err, ErrExhausted) {
				t.Fatalf("after the last: %v", err)
			}
		}
	})
}

func TestCBCHasNoConnectionIDs(t *testing.T) {
	if _, err := NewAssociation(secrets(PSKCBC), IDs{Own: []byte("8 bytes.")}, 0); err == nil {
		t.Error("there is an association")
	}
}

func TestASuiteWithoutKeysIsRefused(t *testing.T) {
	if _, err := NewAssociation(secrets(0x1301), IDs{}, 0); err == nil {
		t.Error("there is an association")
	}
	empty := secrets(PSKCCM8)
	empty.Master = nil
	if _, err := NewAssociation(empty, IDs{}, 0); err == nil {
		t.Error("there is an association without a secret")
	}
}

func FuzzCut(f *testing.F) {
	client, _ := pair(f, ECDHEECDSACCM8, true)
	one, two := seal(f, client, ApplicationData, "one"), seal(f, client, Alert, "\x01\x00")
	f.Add(append(one, two...))
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0})
	f.Add([]byte{25, 254, 253})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		_, server := pair(t, ECDHEECDSACCM8, true)
		total := 0
		for rest := datagram; ; {
			r, after, ok := Cut(rest, len(server.ownID))
			if !ok {
				break
			}
			total += len(rest) - len(after)
			if again := append(r.header.append(nil, len(r.body)), r.body...); !bytes.Equal(again, rest[:len(rest)-len(after)]) {
				t.Errorf("of %x is cut %x", rest, again)
			}
			_, _ = server.Open(r)
			rest = after
		}
		if total > len(datagram) {
			t.Errorf("%d bytes cut of %d", total, len(datagram))
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(byte(23), uint64(1), []byte("8 bytes.and then some that are encrypted"))
	f.Fuzz(func(t *testing.T, kind byte, number uint64, body []byte) {
		for _, suite := range []Suite{ECDHEECDSACCM8, ECDHEECDSAGCM, PSKCBC} {
			for _, ids := range withIDs(suite) {
				_, server := pair(t, suite, ids)
				h := header{kind: Kind(kind), version: dtlsVersion, epoch: epoch, number: number & lastNumber, id: server.ownID}
				if content, err := server.Open(Record{h, bytes.Clone(body)}); err == nil {
					t.Errorf("%x is read as %+v", body, content)
				}
				if server.seen != (window{}) {
					t.Error("and counts as seen")
				}
			}
		}
	})
}
