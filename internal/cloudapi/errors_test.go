package cloudapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"
)

func TestWhyAConnectionFailed(t *testing.T) {
	tests := map[string]struct {
		err  error
		want error
	}{
		"unknown host":             {&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}, ErrNoSuchHost},
		"silent name server":       {&net.DNSError{Err: "i/o timeout", Name: "x", IsTimeout: true}, ErrTimeout},
		"refused":                  {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, ErrRefused},
		"reset":                    {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, ErrBroken},
		"unknown CA":               {x509.UnknownAuthorityError{}, ErrUntrusted},
		"another host":             {x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, ErrOtherName},
		"another's is a TLS error": {&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}}, ErrUntrusted},
		"expired":                  {x509.CertificateInvalidError{Reason: x509.Expired}, ErrExpired},
		"too many CAs":             {x509.CertificateInvalidError{Reason: x509.TooManyIntermediates}, ErrUntrusted},
		"no route":                 {&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, ErrUnreachable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cause := &url.Error{Op: "Get", URL: "https://x", Err: fmt.Errorf("wrapped: %w", test.err)}
			err := connectionError(context.Background(), "https://x", cause)
			if !errors.Is(err, test.want) || !errors.Is(err, ErrUnreachable) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "120", "-1", "soon", "99999999999999999999", "Fri, 31 Dec 2199 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		wait := retryAfter(http.Header{"Retry-After": {text}}, time.Unix(1800000000, 0))
		if wait < 0 {
			t.Errorf("%q: %v", text, wait)
		}
	})
}
