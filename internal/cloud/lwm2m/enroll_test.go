package lwm2m

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

// enrollingClient are the messages of an original client that enrolled, whole.
// The transcript shows each up to 64 bytes, and of the longer two the rest
// in other words.
func enrollingClient(t *testing.T) (bootstrapRequest, certificateRequest []byte) {
	t.Helper()
	text, err := os.ReadFile("../../../testdata/vectors/transcripts/client-4.13-est.txt")
	if err != nil {
		t.Fatal(err)
	}
	find := func(pattern string) string {
		match := regexp.MustCompile(pattern).FindSubmatch(text)
		if match == nil {
			t.Fatalf("no %s in the transcript", pattern)
		}
		return string(match[1])
	}
	unhex := func(text string) []byte {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	bootstrapRequest = unhex(find(`BS << record 99 bytes: ([0-9a-f]+)\.\.\.`))
	account, version := find(`Uri-Query=(aid=[0-9a-f]+)`), find(`Uri-Query=(mccv=[0-9.]+)`)
	seen := bootstrapRequest[bytes.LastIndex(bootstrapRequest, []byte("aid=")):]
	bootstrapRequest = append(bootstrapRequest, strings.TrimPrefix(account, string(seen))...)
	bootstrapRequest = append(append(bootstrapRequest, byte(len(version))), version...)
	if len(bootstrapRequest) != 99 {
		t.Fatalf("the bootstrap request has %d bytes", len(bootstrapRequest))
	}
	head, _, _ := bytes.Cut(unhex(find(`BS << record 343 bytes: ([0-9a-f]+)\.\.\.`)), []byte{0xff})
	certificateRequest = append(append(head, 0xff), unhex(find(`payload hex: ([0-9a-f]+)`))...)
	if len(certificateRequest) != 343 {
		t.Fatalf("the certificate request has %d bytes", len(certificateRequest))
	}
	return bootstrapRequest, certificateRequest
}

const (
	enrolledAccount = "0161661e9c2b0242ac11000400000000"
	enrolledName    = "0161661e9c2b0242ac11000500000001"
)

func enrollmentGrant() *cloud.BootstrapGrant {
	return &cloud.BootstrapGrant{
		AccountID: enrolledAccount, EndpointName: enrolledName, DeviceID: deviceID,
		ServerURI: "coaps://localhost:5685?aid=" + enrolledAccount, ShortServerID: 1, Enrollment: true, ServerCA: make([]byte, 354),
	}
}

// recordedRequest receives a request of our server in place of the recorded one.
func (p *player) recordedRequest(id uint16, token string) *coap.Message {
	p.t.Helper()
	m := p.receive(recordedMessage{line: token})
	p.ours[id], p.tokens[string(unhexed(p.t, token))] = m.ID, m.Token
	return m
}

func unhexed(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (p *player) say(text string) {
	p.t.Helper()
	p.send(recordedMessage{fromClient: true, raw: unhexed(p.t, text), line: text})
}

func (p *player) mustReceive(what string, code coap.Code) *coap.Message {
	p.t.Helper()
	m := p.receive(recordedMessage{line: what})
	if m.Type != coap.Acknowledgement || m.Code != code {
		p.t.Fatalf("%s: %s", what, m)
	}
	return m
}

func TestARecordedClientEnrolls(t *testing.T) {
	asked, enrolls := enrollingClient(t)
	service := &fakeService{grants: []*cloud.BootstrapGrant{enrollmentGrant()}, certificate: bytes.Repeat([]byte{7}, 418)}
	p := newServers(t, service).connect(bootstrap, &recordedConnection{certificate: &x509.Certificate{}})
	p.send(recordedMessage{fromClient: true, raw: asked})
	p.mustReceive("bootstrap request", coap.Changed)
	p.expectClearing(&coap.Message{})

	written := p.recordedRequest(0x3e97, "2a215955")
	items, err := lwm2m.DecodeTLV(written.Payload)
	if err != nil || len(items) != 1 {
		t.Fatalf("written %x, %v", written.Payload, err)
	}
	account, err := lwm2m.SecurityOf(items[0])
	if err != nil || account.Mode != lwm2m.SecurityModeESTEnrollment || account.ClientCertificate != nil || account.PrivateKey != nil ||
		len(account.ServerCA) != 354 || account.ShortServerID != 1 || len(items[0].Children) != 5 {
		t.Errorf("the account is %+v, %v", account, err)
	}
	p.say("64443e972a215955")
	finish := p.recordedRequest(0x3e99, "6b115af3")
	if path := strings.Join(finish.Options.Strings(coap.URIPath), "/"); path != "bs" || finish.Options.Strings(coap.URIQuery)[0] != "iep="+deviceID {
		t.Errorf("the end is %s", finish)
	}
	p.say("60003e99c0") // its malformed acknowledgement
	p.say("44441c026b115af3")
	p.mustReceive("acknowledgement of the end", coap.Empty)
	if len(service.finished) != 0 {
		t.Error("in force before it enrolled")
	}
	p.send(recordedMessage{fromClient: true, raw: enrolls})
	answer := p.mustReceive("certificate", coap.Content)
	if wanted := append([]byte{1, 1, 418 >> 8, 418 & 0xff}, service.certificate...); !bytes.Equal(answer.Payload, wanted) {
		t.Errorf("the answer is %x", answer.Payload)
	}
	if len(service.enrolled) != 1 || len(service.enrolled[0]) != 322 || len(service.finished) != 1 || !service.bootstraps[0].Enrolls {
		t.Errorf("enrolled %x, finished %q", service.enrolled, service.finished)
	}
	_, name, err := pki.RequestedDevice(service.enrolled[0])
	if want := (pki.DeviceName{AccountID: enrolledAccount, EndpointName: enrolledName, DeviceID: deviceID}); err != nil || name != want {
		t.Errorf("it asks for %+v, %v", name, err)
	}
	p.leave()
	if len(service.aborted) > 0 {
		t.Errorf("aborted %q", service.aborted)
	}
}

// willingToEnroll brings a client to the point where it asks for a certificate.
func willingToEnroll(t *testing.T, service *fakeService) (*servers, *device) {
	t.Helper()
	s := newServers(t, service)
	d := s.arrive(bootstrap, answering(make(chan string, 10), willing()))
	d.expect(s.ctx, coap.POST, "bs?ep="+enrolledName+"&mccv=4.13.2", "", coap.Changed)
	return s, d
}

func TestEnrollmentIsForWhoWasToldTo(t *testing.T) {
	s := newServers(t, &fakeService{})
	d := s.arrive(bootstrap, nil)
	d.expect(s.ctx, coap.POST, "est/sen", "request", coap.Forbidden)
	d.expect(s.ctx, coap.GET, "est/sen", "", coap.MethodNotAllowed)
	d.expect(s.ctx, coap.POST, "est/other", "", coap.NotFound)
}

func TestAClientThatGoesWithoutEnrollingIsForgotten(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{enrollmentGrant()}}
	s, d := willingToEnroll(t, service)
	d.enrollable(s, service)
	_ = d.session.Close()
	<-d.ended
	if len(service.aborted) != 1 || len(service.finished) != 0 {
		t.Errorf("aborted %q, finished %q", service.aborted, service.finished)
	}
}

// enrollable waits until the server is ready for the client's request: it
// refuses a bad one and lets the client try again.
func (d *device) enrollable(s *servers, service *fakeService) {
	d.t.Helper()
	service.mu.Lock()
	service.finishing = cloud.RefuseField("certificate request", "cannot be used")
	service.mu.Unlock()
	for d.ask(s.ctx, coap.POST, "est/sen", "no request").Code == coap.Forbidden {
	}
	d.expect(s.ctx, coap.POST, "est/sen", "no request", coap.BadRequest)
}

func TestAClientMayTryToEnrollAgain(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{enrollmentGrant()}, certificate: []byte("certificate")}
	s, d := willingToEnroll(t, service)
	d.enrollable(s, service)
	service.mu.Lock()
	service.finishing = nil
	service.mu.Unlock()
	answer := d.ask(s.ctx, coap.POST, "est/sen", "request")
	if answer.Code != coap.Content || string(answer.Payload) != "\x01\x01\x00\x0bcertificate" {
		t.Errorf("answered %s %q", answer.Code, answer.Payload)
	}
	d.expect(s.ctx, coap.POST, "est/sen", "request", coap.Forbidden) // once
}

// A long certificate comes in blocks, and the connection stays for them.
func TestALongCertificateComesInBlocks(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{enrollmentGrant()}, certificate: bytes.Repeat([]byte{7}, 1024)}
	n := newNetwork(t, service)
	developer, key := n.issue("none yet")
	d := n.dial(n.bootstrapAddress, pair(developer, key), n.bootstrapCA.Certificate,
		func(_ context.Context, req *coap.Request) *coap.Response {
			return &coap.Response{Code: willing()[req.Code.String()+" /"+strings.Join(req.Path, "/")]}
		})
	d.expect(n.ctx, coap.POST, "bs?ep=endpoint&mccv=4.13.2", "", coap.Changed)
	answer := d.ask(n.ctx, coap.POST, "est/sen", requestFor(t, newKey(t)))
	for answer.Code == coap.Forbidden { // not finished yet
		answer = d.ask(n.ctx, coap.POST, "est/sen", requestFor(t, newKey(t)))
	}
	if answer.Code != coap.Content || len(answer.Payload) != 1028 {
		t.Errorf("answered %s with %d bytes", answer.Code, len(answer.Payload))
	}
}

func requestFor(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{
		CommonName: enrolledName, OrganizationalUnit: []string{enrolledAccount}, Locality: []string{deviceID},
	}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}
