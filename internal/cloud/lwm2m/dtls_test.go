package lwm2m

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

// network is both servers on real ports, with certificate authorities of
// their own, and one for devices.
type network struct {
	*servers
	bootstrapCA, managementCA, deviceCA *pki.Authority
	bootstrapAddress, managementAddress string
	ended                               chan error
}

func newNetwork(t *testing.T, service *fakeService) *network {
	t.Helper()
	n := &network{
		servers:      newServers(t, service),
		bootstrapCA:  newAuthority(t),
		managementCA: newAuthority(t),
		deviceCA:     newAuthority(t),
		ended:        make(chan error, 2),
	}
	bootstraps := n.listen(n.bootstrapCA, coap.ListenConfig{VerifyChain: n.bootstrap.VerifyChain})
	managed := n.listen(n.managementCA, coap.ListenConfig{VerifyChain: n.management.VerifyChain})
	n.bootstrapAddress, n.managementAddress = bootstraps.Addr().String(), managed.Addr().String()
	go func() { n.ended <- n.bootstrap.Serve(n.ctx, bootstraps) }()
	go func() { n.ended <- n.management.Serve(n.ctx, managed) }()
	t.Cleanup(n.checkEnd)
	return n
}

// checkEnd ends the servers and checks that they end well.
func (n *network) checkEnd() {
	n.stop()
	for range 2 {
		if err := <-n.ended; err != nil {
			n.t.Error(err)
		}
	}
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	authority, err := pki.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func (n *network) listen(ca *pki.Authority, cfg coap.ListenConfig) *coap.Listener {
	n.t.Helper()
	key := newKey(n.t)
	der, err := ca.IssueServer("server", []string{"localhost"}, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		n.t.Fatal(err)
	}
	cfg.Certificate = pair(der, key)
	listener, err := coap.Listen("127.0.0.1:0", cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pair(der []byte, key *ecdsa.PrivateKey) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// issue makes a device certificate and its key.
func (n *network) issue(id string) (der []byte, key *ecdsa.PrivateKey) {
	n.t.Helper()
	key = newKey(n.t)
	name := pki.DeviceName{AccountID: "account", EndpointName: "endpoint", DeviceID: id}
	der, err := n.deviceCA.IssueDevice(name, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		n.t.Fatal(err)
	}
	return der, key
}

func (n *network) newGrant() *cloud.BootstrapGrant {
	n.t.Helper()
	der, key := n.issue(deviceID)
	private, err := pki.MarshalSEC1(key)
	if err != nil {
		n.t.Fatal(err)
	}
	return &cloud.BootstrapGrant{
		AccountID: "account", EndpointName: "endpoint", DeviceID: deviceID,
		ServerURI: "coaps://" + n.managementAddress + "?aid=account", ShortServerID: cloud.ShortServerID,
		DeviceCertificate: der, ServerCA: n.managementCA.Certificate.Raw, PrivateKey: private,
	}
}

// dial connects a device and serves its session.
func (n *network) dial(address string, certificate tls.Certificate, ca *x509.Certificate, handler coap.Handler) *device {
	n.t.Helper()
	conn, err := coap.Dial(n.ctx, address, coap.DialConfig{Certificate: certificate, RootCA: ca})
	if err != nil {
		n.t.Fatal(err)
	}
	session := coap.NewSession(conn, handler, coap.SessionConfig{})
	go func() { _ = session.Serve(n.ctx) }()
	n.t.Cleanup(func() { _ = session.Close() })
	return &device{t: n.t, session: session}
}

// A device bootstraps, and registers with nothing but what it was given.
func TestFromBootstrapToRegistrationOverDTLS(t *testing.T) {
	service := &fakeService{}
	n := newNetwork(t, service)
	service.grants = []*cloud.BootstrapGrant{n.newGrant()}

	var written []byte
	developer, key := n.issue("none yet")
	d := n.dial(n.bootstrapAddress, pair(developer, key), n.bootstrapCA.Certificate,
		func(_ context.Context, req *coap.Request) *coap.Response {
			if req.Code == coap.PUT {
				written = bytes.Clone(req.Payload)
			}
			return &coap.Response{Code: willing()[req.Code.String()+" /"+strings.Join(req.Path, "/")]}
		})
	d.expect(n.ctx, coap.POST, "bs?ep=endpoint&aid=account&mccv=4.13.2", "", coap.Changed)
	<-d.session.Done() // the server closes when it is done

	items, err := lwm2m.DecodeTLV(written)
	if err != nil || len(items) != 1 {
		t.Fatalf("%d accounts written, %v", len(items), err)
	}
	account, err := lwm2m.SecurityOf(items[0])
	if err != nil {
		t.Fatal(err)
	}
	private, err := pki.ParsePrivateKey(account.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCertificate(account.ServerCA)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(account.ServerURI, "coaps://"), "?aid=account")
	registered := n.dial(address, pair(account.ClientCertificate, private), ca,
		func(context.Context, *coap.Request) *coap.Response {
			return &coap.Response{Code: coap.Content, Payload: []byte("maker")}
		})
	body := strings.Repeat(`</3/0/0>;v="maker";obs,`, 60) + "</1/0>"
	registered.expect(n.ctx, coap.POST, "rd?ep=endpoint&d=account&lt=600&b=U", body, coap.Created)
	answer, err := n.management.Do(n.ctx, deviceID, &coap.Request{Code: coap.GET, Path: []string{"3", "0", "0"}})
	if err != nil || string(answer.Payload) != "maker" {
		t.Fatalf("read %+v, %v", answer, err)
	}
	if len(service.registrations) != 1 || len(service.registrations[0].Links) != 61 {
		t.Errorf("registered %+v", service.registrations)
	}
}

func TestRevokedDeviceIsRefusedInTheHandshake(t *testing.T) {
	service := &fakeService{unknown: cloud.Refuse(cloud.ErrUnauthorized, "is revoked")}
	n := newNetwork(t, service)
	der, key := n.issue(deviceID)
	cfg := coap.DialConfig{Certificate: pair(der, key), RootCA: n.managementCA.Certificate}
	if _, err := coap.Dial(n.ctx, n.managementAddress, cfg); !errors.Is(err, coap.ErrRefused) {
		t.Fatalf("got %v", err)
	}
	service.mu.Lock()
	defer service.mu.Unlock()
	if len(service.from) != 1 || !strings.HasPrefix(service.from[0], "127.0.0.1:") {
		t.Errorf("refused was a device at %q", service.from)
	}
}

func TestClosedListenerEndsServing(t *testing.T) {
	s := newServers(t, &fakeService{})
	key := newKey(t)
	der, err := newAuthority(t).IssueServer("server", nil, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := coap.Listen("127.0.0.1:0", coap.ListenConfig{Certificate: pair(der, key)})
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.management.Serve(s.ctx, listener); err != nil {
		t.Error(err)
	}
}
