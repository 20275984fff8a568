package device

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"mbl/internal/coap"
	"mbl/internal/keystore"
	"mbl/internal/pki"
)

// ServerCheck is what a handshake with the bootstrap server showed.
type ServerCheck struct {
	Server    string `json:"server"`    // coaps://host:port; empty: there is none to ask
	Reachable bool   `json:"reachable"` // it answered
	Accepted  bool   `json:"accepted"`  // it took our certificate, and we trust its
	Problem   string `json:"problem"`   // why not; empty if it was accepted
}

// CheckServer shakes hands with the bootstrap server of the stored
// credentials and hangs up. A device without credentials asks the server at
// uri (coaps://host:port) with a certificate made up for the purpose: its
// refusal shows that the server can be reached, which is all to be learnt.
// ctx bounds it.
func CheckServer(ctx context.Context, store keystore.Store, uri string) ServerCheck {
	account, err := loadAccount(store, bootstrapAccount())
	if err != nil && (uri == "" || !errors.Is(err, keystore.ErrNotFound)) {
		return ServerCheck{Problem: fmt.Sprintf("cannot read the credentials: %v", err)}
	}
	if account == nil {
		if account, err = strangerAt(uri); err != nil {
			return ServerCheck{Problem: err.Error()}
		}
	}
	return account.check(ctx)
}

// strangerAt is the account of a device that nobody knows.
func strangerAt(uri string) (*serverAccount, error) {
	parsed, err := parseServerURI(uri)
	if err != nil {
		return nil, err
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	der, err := pki.SelfSignDeveloper(key, "unknown", "unknown", time.Now())
	if err != nil {
		return nil, err
	}
	cert, err := pki.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &serverAccount{
		uri: parsed, ca: cert, cert: cert,
		tls: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert},
	}, nil
}

func (a *serverAccount) check(ctx context.Context) ServerCheck {
	result := ServerCheck{Server: "coaps://" + a.uri.address}
	conn, err := coap.Dial(ctx, a.uri.address, coap.DialConfig{Certificate: a.tls, RootCA: a.ca})
	if err == nil {
		_ = conn.Close() // the handshake was all we wanted
		result.Reachable, result.Accepted = true, true
		return result
	}
	result.Reachable = errors.Is(err, coap.ErrRefused) || errors.Is(err, coap.ErrUntrusted)
	result.Problem = err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		result.Problem = "no answer from " + a.uri.address
	}
	return result
}
