package lwm2m

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// FuzzDeviceMessages has a device that was let in send anything to either
// server. Afterwards it still gets the answer to a ping.
func FuzzDeviceMessages(f *testing.F) {
	for _, m := range []coap.Message{
		{Type: coap.Confirmable, Code: coap.POST, ID: 1, Token: []byte{1}, Payload: []byte("</3/0>")},
		{Type: coap.Confirmable, Code: coap.DELETE, ID: 2},
		{Type: coap.NonConfirmable, Code: coap.Content, ID: 3, Token: []byte{1, 2}},
	} {
		m.Options.AddStrings(coap.URIPath, []string{"rd"})
		m.Options.AddStrings(coap.URIQuery, []string{"ep=endpoint", "lt=60"})
		raw, err := m.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, raw, true)
		f.Add(raw, []byte{}, false)
	}
	name := pkix.Name{CommonName: "endpoint", OrganizationalUnit: []string{"account"}, Locality: []string{deviceID}}
	f.Fuzz(func(t *testing.T, first, second []byte, manages bool) {
		s := newServers(t, &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}})
		role := bootstrap
		if manages {
			role = management
		}
		p := s.connect(role, &recordedConnection{certificate: &x509.Certificate{Subject: name}})
		for _, message := range [][]byte{first, second, {0x40, 0, 0xab, 0xcd}} {
			if p.conn.WriteMessage(message) != nil {
				return // the server has closed, as at the end of a bootstrap
			}
		}
		for {
			answer, err := p.conn.ReadMessage(s.ctx)
			if err != nil {
				if s.ctx.Err() != nil {
					t.Fatal("the ping is not answered")
				}
				return
			}
			if bytes.Equal(answer, []byte{0x70, 0, 0xab, 0xcd}) {
				return
			}
		}
	})
}
