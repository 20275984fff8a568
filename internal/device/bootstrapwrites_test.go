package device

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

// grantFor is a good LwM2M account for a device with that L.
func grantFor(t testing.TB, deviceID string) *lwm2m.Security {
	t.Helper()
	authority, err := pki.NewAuthority("CA")
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return &lwm2m.Security{
		ServerURI: "coaps://lwm2m.example:5685?aid=acc", Mode: lwm2m.SecurityModeCertificate, ShortServerID: 1,
		ClientCertificate: issue(t, authority, deviceID, key),
		ServerCA:          authority.Certificate.Raw,
		PrivateKey:        marshal(t, key),
	}
}

// issue makes any certificate, also one no service of ours would issue.
func issue(t testing.TB, authority *pki.Authority, deviceID string, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	subject := pkix.Name{CommonName: "endpoint", OrganizationalUnit: []string{"acc"}}
	if deviceID != "" {
		subject.Locality = []string{deviceID}
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotBefore: pki.DistantPast, NotAfter: pki.DistantFuture}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Certificate, &key.PublicKey, authority.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func marshal(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := pki.MarshalSEC1(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(t testing.TB, items ...lwm2m.TLV) []byte {
	t.Helper()
	payload, err := lwm2m.EncodeTLV(items...)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func segments(path string) []string {
	trimmed := strings.Trim(path, "/")
	if trimmed == "" {
		return nil
	}
	return strings.Split(trimmed, "/")
}

// step is a request of the bootstrap server and the answer it gets.
type step struct {
	method  coap.Code
	path    string
	payload []byte
	want    coap.Code
}

func TestBootstrapServersMayWriteInTheseWays(t *testing.T) {
	grant := grantFor(t, "device-1")
	instance := grant.TLV(0)
	account := encode(t, instance)
	moved := &lwm2m.Security{ServerURI: "coaps://new.example:5684?aid=acc", BootstrapServer: true, Mode: 2}
	stale := grantFor(t, "device-0")
	server := lwm2m.TLV{Kind: lwm2m.ObjectInstance, Children: []lwm2m.TLV{
		lwm2m.Integer(0, 1), lwm2m.Integer(1, 600), lwm2m.Boolean(6, true), lwm2m.Text(7, "U"),
	}}
	for name, test := range map[string]struct {
		steps    []step
		wantURI  string // of the bootstrap server; empty: unchanged
		lifetime string
	}{
		"delete, instance to the object": {steps: []step{
			{coap.DELETE, "/0", nil, coap.Deleted}, {coap.PUT, "/0", account, coap.Changed},
		}},
		"delete everything": {steps: []step{
			{coap.DELETE, "/", nil, coap.Deleted}, {coap.PUT, "/0", account, coap.Changed},
		}},
		"without delete":           {steps: []step{{coap.PUT, "/0", account, coap.Changed}}},
		"instance to the instance": {steps: []step{{coap.PUT, "/0/0", account, coap.Changed}}},
		"resources to the instance": {steps: []step{
			{coap.PUT, "/0/0", encode(t, instance.Children...), coap.Changed},
		}},
		"another instance id": {steps: []step{{coap.PUT, "/0", encode(t, grant.TLV(2)), coap.Changed}}},
		"written twice":       {steps: []step{{coap.PUT, "/0", encode(t, stale.TLV(0)), coap.Changed}, {coap.PUT, "/0", account, coap.Changed}}},
		"one deleted again": {steps: []step{
			{coap.PUT, "/0", encode(t, stale.TLV(2)), coap.Changed}, {coap.DELETE, "/0/2", nil, coap.Deleted}, {coap.PUT, "/0", account, coap.Changed},
		}},
		"with a server object": {lifetime: "600", steps: []step{
			{coap.PUT, "/0", account, coap.Changed}, {coap.DELETE, "/1", nil, coap.Deleted}, {coap.PUT, "/1", encode(t, server), coap.Changed},
		}},
		"server resources to the instance": {lifetime: "600", steps: []step{
			{coap.PUT, "/0", account, coap.Changed}, {coap.PUT, "/1/0", encode(t, server.Children...), coap.Changed},
		}},
		"server object deleted": {steps: []step{
			{coap.PUT, "/1", encode(t, server), coap.Changed}, {coap.DELETE, "/", nil, coap.Deleted}, {coap.PUT, "/0", account, coap.Changed},
		}},
		"device object": {steps: []step{
			{coap.PUT, "/3/0", encode(t, lwm2m.Integer(13, 1)), coap.Changed}, {coap.PUT, "/0", account, coap.Changed},
		}},
		"bootstrap server moved": {wantURI: moved.ServerURI, steps: []step{
			{coap.PUT, "/0", account, coap.Changed}, {coap.PUT, "/0/1", encode(t, moved.TLV(1)), coap.Changed},
		}},
		"a refused write changes nothing": {steps: []step{
			{coap.PUT, "/0", account, coap.Changed}, {coap.PUT, "/0", []byte("garbage"), coap.BadRequest}, {coap.PUT, "/5", account, coap.BadRequest},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBootstrapWrites()
			play(t, w, test.steps)
			change, err := w.result()
			if err != nil {
				t.Fatal(err)
			}
			if string(change.Put[itemLwM2MURI]) != grant.ServerURI || string(change.Put[itemLwM2MKey]) != string(grant.PrivateKey) ||
				string(change.Put[itemLwM2MCert]) != string(grant.ClientCertificate) || string(change.Put[itemLwM2MCA]) != string(grant.ServerCA) ||
				string(change.Put[itemInternalEndpoint]) != "device-1" {
				t.Errorf("change %q", change.Put)
			}
			if got := string(change.Put[itemBootstrapURI]); got != test.wantURI {
				t.Errorf("bootstrap URI %q", got)
			}
			if got := string(change.Put[itemLifetime]); got != test.lifetime {
				t.Errorf("lifetime %q", got)
			}
		})
	}
}

func play(t *testing.T, w *bootstrapWrites, steps []step) {
	t.Helper()
	for _, s := range steps {
		var got coap.Code
		if s.method == coap.DELETE {
			got = w.remove(segments(s.path))
		} else {
			got = w.put(segments(s.path), format(lwm2m.FormatOldTLV), s.payload)
		}
		if got != s.want {
			t.Errorf("%v %s: %v, want %v", s.method, s.path, got, s.want)
		}
	}
}

func TestBootstrapWritesThatAreRefusedAtOnce(t *testing.T) {
	with := func(change func(*lwm2m.Security)) []byte {
		s := grantFor(t, "device-1")
		change(s)
		return encode(t, s.TLV(0))
	}
	good := with(func(*lwm2m.Security) {})
	for name, test := range map[string]struct {
		path    string
		format  *uint16
		payload []byte
	}{
		"no URI":              {"/0", format(11542), with(func(s *lwm2m.Security) { s.ServerURI = "" })},
		"pre-shared keys":     {"/0", format(11542), with(func(s *lwm2m.Security) { s.Mode = 0 })},
		"enrollment":          {"/0", format(11542), with(func(s *lwm2m.Security) { s.Mode = 4 })},
		"no certificate":      {"/0", format(11542), with(func(s *lwm2m.Security) { s.ClientCertificate = nil })},
		"no CA":               {"/0", format(11542), with(func(s *lwm2m.Security) { s.ServerCA = nil })},
		"no key":              {"/0", format(11542), with(func(s *lwm2m.Security) { s.PrivateKey = nil })},
		"too large":           {"/0", format(11542), with(func(s *lwm2m.Security) { s.ClientCertificate = make([]byte, 1025) })},
		"no format":           {"/0", nil, good},
		"another format":      {"/0", format(42), good},
		"resources to object": {"/0", format(11542), encode(t, grantFor(t, "d").TLV(0).Children...)},
		"nothing":             {"/0", format(11542), nil},
		"cut off":             {"/0", format(11542), good[:len(good)-1]},
		"a resource":          {"/0/0/0", format(11542), good},
		"the root":            {"/", format(11542), good},
		"another object":      {"/10252", format(11542), good},
		"no path of LwM2M":    {"/bs", format(11542), good},
		"not a lifetime":      {"/1/0", format(11542), encode(t, lwm2m.Text(1, "abc"))},
		"negative lifetime":   {"/1/0", format(11542), encode(t, lwm2m.Integer(1, -1))},
	} {
		w := newBootstrapWrites()
		if got := w.put(segments(test.path), test.format, test.payload); got != coap.BadRequest {
			t.Errorf("%s: %v", name, got)
		}
		if len(w.security) > 0 || w.lifetime != 0 {
			t.Errorf("%s: something was taken", name)
		}
	}
	if got := newBootstrapWrites().remove([]string{"0", "0", "0"}); got != coap.BadRequest {
		t.Errorf("DELETE of a resource: %v", got)
	}
}

func TestAnUnusableBootstrapResultIsRefused(t *testing.T) {
	other := grantFor(t, "device-2")
	for name, instances := range map[string][]*lwm2m.Security{
		"nothing written":   {},
		"two accounts":      {grantFor(t, "device-1"), other},
		"another's key":     {with(grantFor(t, "device-1"), func(s *lwm2m.Security) { s.PrivateKey = other.PrivateKey })},
		"not a certificate": {with(grantFor(t, "device-1"), func(s *lwm2m.Security) { s.ClientCertificate = []byte("x") })},
		"not a CA":          {with(grantFor(t, "device-1"), func(s *lwm2m.Security) { s.ServerCA = []byte("x") })},
		"not a URI":         {with(grantFor(t, "device-1"), func(s *lwm2m.Security) { s.ServerURI = "coaps://x" })},
		"no device id":      {grantFor(t, "")},
		"long device id":    {grantFor(t, strings.Repeat("d", 64))},
		"moved to nowhere":  {grantFor(t, "device-1"), {ServerURI: "nowhere", BootstrapServer: true, Mode: 2}},
		"half moved": {grantFor(t, "device-1"), with(grantFor(t, "x"), func(s *lwm2m.Security) {
			s.BootstrapServer, s.PrivateKey = true, nil
		})},
	} {
		w := newBootstrapWrites()
		for i, instance := range instances {
			if got := w.put([]string{"0"}, format(lwm2m.FormatTLV), encode(t, instance.TLV(uint16(i)))); got != coap.Changed {
				t.Errorf("%s: write %v", name, got)
			}
		}
		if change, err := w.result(); err == nil || len(change.Put) > 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

func with(s *lwm2m.Security, change func(*lwm2m.Security)) *lwm2m.Security {
	change(s)
	return s
}

// FuzzBootstrapWrite: whatever a server writes, a result that is accepted is
// one the device can connect with.
func FuzzBootstrapWrite(f *testing.F) {
	grant := grantFor(f, "device-1")
	f.Add("0", encode(f, grant.TLV(0)))
	f.Add("0/0", encode(f, grant.TLV(0).Children...))
	f.Add("0", encode(f, grant.TLV(0), (&lwm2m.Security{ServerURI: "coaps://h:1", BootstrapServer: true, Mode: 2}).TLV(1)))
	f.Add("1", encode(f, lwm2m.TLV{Kind: lwm2m.ObjectInstance, Children: []lwm2m.TLV{lwm2m.Integer(1, 60)}}))
	f.Add("0/1/2", []byte{0x08, 0x00})
	f.Fuzz(func(t *testing.T, path string, payload []byte) {
		w := newBootstrapWrites()
		w.put(segments(path), format(lwm2m.FormatTLV), payload)
		change, err := w.result()
		if err != nil {
			return
		}
		if err := change.Check(); err != nil {
			t.Fatal(err)
		}
		put := change.Put
		account, err := newAccount(string(put[itemLwM2MURI]), put[itemLwM2MCA], put[itemLwM2MCert], put[itemLwM2MKey])
		if err != nil || account.endpointName() == "" || len(put[itemInternalEndpoint]) == 0 {
			t.Fatalf("accepted %q: %v", put, err)
		}
	})
}
