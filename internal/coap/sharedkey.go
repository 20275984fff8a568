package coap

import (
	"context"

	"github.com/pion/dtls/v3"
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
// certificates; which it is, the client's first suite says.
func sharedKeyOptions(ctx context.Context, find func(context.Context, string) ([]byte, error)) []dtls.ServerOption {
	if find == nil {
		return nil
	}
	return []dtls.ServerOption{
		dtls.WithCipherSuites(append(certificateSuites(), sharedKeySuites()...)...),
		dtls.WithPSK(func(identity []byte) ([]byte, error) { return find(ctx, string(identity)) }),
	}
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
