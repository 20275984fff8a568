package coap

import (
	"bytes"
	"context"

	"github.com/pion/dtls/v3"

	"mbl/internal/coap/record"
)

// SharedKey is a pre-shared key (RFC 4279).
type SharedKey struct {
	Identity string
	Key      []byte
}

// sharedKeySuites are those of LwM2M 1.1 (transport, section 5.2.8.1) and, for
// clients that can do no other, its neighbours. The first is the one that every
// device with pre-shared keys has.
func sharedKeySuites() []dtls.CipherSuiteID {
	return []dtls.CipherSuiteID{
		dtls.TLS_PSK_WITH_AES_128_CCM_8,
		dtls.TLS_PSK_WITH_AES_128_CCM,
		dtls.TLS_PSK_WITH_AES_128_GCM_SHA256,
		dtls.TLS_PSK_WITH_AES_128_CBC_SHA256,
		dtls.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256,
	}
}

// sharedKeyOptions let clients come with pre-shared keys beside those with
// certificates; which it is, the client's first suite says. unknown is called
// when there is no key.
func sharedKeyOptions(ctx context.Context, find func(context.Context, string) ([]byte, error), unknown func()) []dtls.ServerOption {
	if find == nil {
		return nil
	}
	return []dtls.ServerOption{
		dtls.WithCipherSuites(append(certificateSuites(), sharedKeySuites()...)...),
		dtls.WithPSK(func(identity []byte) ([]byte, error) {
			key, err := find(ctx, string(identity))
			if err != nil {
				unknown()
			}
			return key, err
		}),
	}
}

// Descriptions of alerts (RFC 5246 §7.2.2; RFC 4279 §6).
const (
	internalError      = 80
	unknownPSKIdentity = 115
)

// unknownIdentity makes of the library's alert, which speaks of trouble of ours,
// one that says what is wrong. It changes no other datagram.
func unknownIdentity(datagram []byte) []byte {
	plainAlert := len(datagram) == recordHeaderSize+2 && record.Kind(datagram[0]) == record.Alert && epochOf(datagram) == 0
	if !plainAlert || datagram[recordHeaderSize+1] != internalError {
		return datagram
	}
	changed := bytes.Clone(datagram)
	changed[recordHeaderSize+1] = unknownPSKIdentity
	return changed
}

func sharedKeyClientOptions(own SharedKey) []dtls.ClientOption {
	options := []dtls.ClientOption{
		dtls.WithCipherSuites(sharedKeySuites()...),
		dtls.WithPSK(func([]byte) ([]byte, error) { return own.Key, nil }),
		dtls.WithPSKIdentityHint([]byte(own.Identity)),
	}
	for _, option := range append(alwaysOptions(), dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator())) {
		options = append(options, option)
	}
	return options
}
