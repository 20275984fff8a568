package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"mbl/internal/coap"
	"mbl/internal/credential"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

// registrationBody is what the original client registers: 1126 bytes, so
// three blocks.
const registrationBody = "testdata/vectors/transcripts/register-body-4.13.txt"

// wireDevice connects as a device does, message by message, and does nothing
// else: what is measured is the service.
type wireDevice struct {
	bootstrap    account
	endpointName string
	accountID    string
	links        []byte
}

// account is what it takes to connect to a server.
type account struct {
	address string
	dial    coap.DialConfig
}

func newWireDevice(developer *credential.Developer) (*wireDevice, error) {
	bootstrap, err := newAccount(developer.ServerURI, developer.ServerCACertificate, developer.DeviceCertificate, developer.PrivateKey)
	if err != nil {
		return nil, err
	}
	links, err := os.ReadFile(registrationBody)
	if err != nil {
		return nil, err
	}
	return &wireDevice{
		bootstrap:    bootstrap,
		endpointName: developer.EndpointName,
		accountID:    developer.AccountID,
		links:        []byte(strings.TrimSpace(string(links))),
	}, nil
}

func newAccount(uri string, ca, certificate, key []byte) (account, error) {
	root, err := pki.ParseCertificate(ca)
	if err != nil {
		return account{}, err
	}
	private, err := pki.ParsePrivateKey(key)
	if err != nil {
		return account{}, err
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(uri, "coaps://"), "?")
	return account{address, coap.DialConfig{
		RootCA:      root,
		Certificate: tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: private},
	}}, nil
}

// connect bootstraps and registers. The caller closes the session.
func (d *wireDevice) connect(ctx context.Context) (*coap.Session, error) {
	granted, err := d.askForCredentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot bootstrap: %w", err)
	}
	session, err := d.register(ctx, granted)
	if err != nil {
		return nil, fmt.Errorf("cannot register: %w", err)
	}
	return session, nil
}

// askForCredentials is the bootstrap (LwM2M 1.0 §5.2.7): the server writes the
// account and finishes. The answer to that goes in a message of its own, and
// the device leaves when it is acknowledged, as the original client does.
func (d *wireDevice) askForCredentials(ctx context.Context) (account, error) {
	var security []byte
	conn, err := coap.Dial(ctx, d.bootstrap.address, d.bootstrap.dial)
	if err != nil {
		return account{}, err
	}
	heard := make(chan struct{})
	session := coap.NewSession(conn, func(_ context.Context, req *coap.Request) *coap.Response {
		switch req.Code {
		case coap.DELETE:
			return &coap.Response{Code: coap.Deleted}
		case coap.PUT:
			security = req.Payload
			return &coap.Response{Code: coap.Changed}
		default: // the finish
			return &coap.Response{Code: coap.Changed, Separate: true, Then: func(context.Context) { close(heard) }}
		}
	}, coap.SessionConfig{})
	ended := serve(ctx, session)
	err = expect(ctx, session, &coap.Request{Code: coap.POST, Path: []string{"bs"}, Query: []string{
		"ep=" + d.endpointName, "aid=" + d.accountID, "mccv=4.13.2",
	}}, coap.Changed)
	if err == nil {
		select {
		case <-heard:
		case <-ended:
			err = errors.New("the service closed before it had finished")
		}
	}
	_ = session.Close()
	<-ended // so security is ours
	if err != nil {
		return account{}, err
	}
	return accountWritten(security)
}

func accountWritten(security []byte) (account, error) {
	items, err := lwm2m.DecodeTLV(security)
	if err != nil || len(items) != 1 {
		return account{}, errors.Join(err, fmt.Errorf("%d accounts were written", len(items)))
	}
	written, err := lwm2m.SecurityOf(items[0])
	if err != nil {
		return account{}, err
	}
	return newAccount(written.ServerURI, written.ServerCA, written.ClientCertificate, written.PrivateKey)
}

func (d *wireDevice) register(ctx context.Context, granted account) (*coap.Session, error) {
	conn, err := coap.Dial(ctx, granted.address, granted.dial)
	if err != nil {
		return nil, err
	}
	session := coap.NewSession(conn, nil, coap.SessionConfig{})
	serve(ctx, session)
	err = expect(ctx, session, &coap.Request{
		Code: coap.POST, Path: []string{"rd"}, ContentFormat: new(uint16(40)), Payload: d.links, Query: []string{
			"ep=" + d.endpointName, "et=default", "lt=7200", "lwm2m=1.0", "d=" + d.accountID, "b=U", "aid=" + d.accountID, "mccv=4.13.2",
		},
	}, coap.Created)
	if err != nil {
		_ = session.Close()
		return nil, err
	}
	return session, nil
}

// serve starts the session's reader; the channel is closed when it is done.
func serve(ctx context.Context, session *coap.Session) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = session.Serve(ctx) // whoever waits for an answer learns of it
	}()
	return ended
}

func expect(ctx context.Context, session *coap.Session, req *coap.Request, code coap.Code) error {
	answer, err := session.Do(ctx, req)
	if err == nil && answer.Code != code {
		err = fmt.Errorf("the service answered %s to %s /%s", answer.Code, req.Code, req.Path[0])
	}
	return err
}
