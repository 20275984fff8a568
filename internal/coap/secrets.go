package coap

import (
	"bytes"
	"encoding/hex"
	"errors"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"

	"mbl/internal/coap/record"
)

// overheard is what a handshake of the DTLS library agrees on, as far as it
// takes to go on without it (docs/decisions/0066). The library tells by way of
// its hooks; nobody but the handshake's goroutines calls them.
type overheard struct {
	secrets record.Secrets
	gaveID  bool // the client puts a connection id on its records

	draft  *draftID     // the client would have such an id; nil: no
	agreed func([]byte) // is given what can be read of it once the secrets are known
}

// options have the library tell.
func (o *overheard) options() []dtls.ServerOption {
	return []dtls.ServerOption{
		dtls.WithKeyLogWriter(o),
		dtls.WithServerHelloMessageHook(o.serverHello),
	}
}

// serverHello takes random, suite and connection id from the message that
// decides about them.
func (o *overheard) serverHello(hello handshake.MessageServerHello) handshake.Message {
	random := hello.Random.MarshalFixed()
	o.secrets.ServerRandom = random[:]
	if hello.CipherSuiteID != nil {
		o.secrets.Suite = record.Suite(*hello.CipherSuiteID)
	}
	o.gaveID = false
	for _, each := range hello.Extensions {
		if _, ok := each.(*extension.ConnectionID); ok {
			o.gaveID = true
		}
	}
	if o.draft != nil && !o.secrets.Suite.UsesCBC() {
		hello.Extensions = append(hello.Extensions, draftExtension{o.draft.id})
	}
	return &hello
}

// Write takes in a line of the key log: label, client's random, and master
// secret, the latter two in hexadecimal.
func (o *overheard) Write(line []byte) (int, error) {
	words := bytes.Fields(line)
	if len(words) != 3 || string(words[0]) != "CLIENT_RANDOM" {
		return 0, errors.New("not a line of the key log")
	}
	for i, to := range []*[]byte{&o.secrets.ClientRandom, &o.secrets.Master} {
		decoded, err := hex.AppendDecode(nil, words[1+i])
		if err != nil {
			return 0, err
		}
		*to = decoded
	}
	if o.draft != nil {
		secrets := o.secrets
		secrets.Master = bytes.Clone(secrets.Master) // ours is cleared
		o.agreed(o.draft.learn(secrets))
	}
	return len(line), nil
}

// suite is the name of the suite of a handshake that ended with err.
func (o *overheard) suite(err error) string {
	if err != nil {
		return ""
	}
	return dtls.CipherSuiteID(o.secrets.Suite).String()
}

// association is the record layer that takes over when the library has sent
// its last flight.
func (o *overheard) association(s *shaking, id peerID) (*record.Association, error) {
	defer clear(o.secrets.Master)
	ids := record.IDs{Peer: s.peerID}
	if draft := o.draft != nil && !o.secrets.Suite.UsesCBC(); o.gaveID || draft {
		ids.Own, ids.Draft = id[:], draft
	}
	s.mu.Lock()
	next, done := s.next, s.last != nil
	s.mu.Unlock()
	if !done {
		return nil, errors.New("the handshake is not done")
	}
	return record.NewAssociation(o.secrets, ids, next)
}
