//go:build openssl

package openssl

// #include <stdlib.h>
// #include "tls.h"
import "C"

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// libraryContext is a context in OpenSSL's memory.
type libraryContext struct {
	ctx    *C.SSL_CTX
	server C.int
	keys   bool
	alive  *atomic.Int64 // engines not freed
}

var _ engineContext = (*libraryContext)(nil)

// newContext makes a context with one suite, or those of pre-shared keys.
func newContext(cfg contextConfig) (engineContext, error) {
	settings := (*C.mbl_settings)(C.calloc(1, C.sizeof_mbl_settings))
	defer C.free(unsafe.Pointer(settings))
	settings.ciphers = C.CString(ciphers(cfg))
	defer C.free(unsafe.Pointer(settings.ciphers))
	if cfg.server {
		settings.server = 1
	}
	if cfg.keys {
		cfg.certificate = tls.Certificate{}
	} else {
		key, err := keyBytes(cfg.certificate)
		if err != nil {
			return nil, err
		}
		defer clear(key)
		settings.key, settings.key_size = lend(key)
		defer takeBack(settings.key, settings.key_size)
		settings.certificate, settings.certificate_size = lend(cfg.certificate.Certificate[0])
		defer takeBack(settings.certificate, settings.certificate_size)
	}
	settings.session_context, settings.session_context_size = lend([]byte(cfg.sessions))
	defer takeBack(settings.session_context, settings.session_context_size)
	settings.session_lifetime = C.long(cfg.lifetime.Seconds())

	var code C.ulong
	ctx := C.mbl_context_new(settings, &code)
	if ctx == nil {
		return nil, fmt.Errorf("cannot set up OpenSSL: %w", libraryError(code))
	}
	made := &libraryContext{ctx: ctx, server: settings.server, keys: cfg.keys, alive: new(atomic.Int64)}
	for _, certificate := range above(cfg.certificate) {
		if C.mbl_context_add_chain(ctx, bytePointer(certificate), C.size_t(len(certificate))) == 0 {
			made.free()
			return nil, errors.New("cannot set up OpenSSL: not a chain of certificates")
		}
	}
	return made, nil
}

// ciphers are a context's suites as OpenSSL names them. Those with a tag of eight
// bytes are below its usual security level.
func ciphers(cfg contextConfig) string {
	switch {
	case cfg.keys:
		return fmt.Sprintf("%s:%s:@SECLEVEL=0", PSKCCM8, PSKGCM)
	case cfg.suite == CCM8:
		return fmt.Sprintf("%s:@SECLEVEL=0", cfg.suite)
	default:
		return fmt.Sprintf("%s:@SECLEVEL=2", cfg.suite)
	}
}

// above are the certificates above one's own.
func above(certificate tls.Certificate) [][]byte {
	if len(certificate.Certificate) == 0 {
		return nil
	}
	return certificate.Certificate[1:]
}

// lend copies data to C's memory; takeBack clears and frees it.
func lend(data []byte) (*C.uchar, C.size_t) {
	return (*C.uchar)(C.CBytes(data)), C.size_t(len(data))
}

func takeBack(data *C.uchar, size C.size_t) {
	clear(unsafe.Slice((*byte)(data), size))
	C.free(unsafe.Pointer(data))
}

// keyBytes is the private key for OpenSSL, PKCS #8.
func keyBytes(certificate tls.Certificate) ([]byte, error) {
	key, ok := certificate.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() || len(certificate.Certificate) == 0 {
		return nil, errors.New("cannot set up OpenSSL: it needs a certificate and its key, on P-256")
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func (c *libraryContext) newEngine() (engine, error) {
	made := C.mbl_tls_new(c.ctx, c.server)
	if made == nil {
		return nil, errors.New("cannot make a TLS connection: out of memory")
	}
	c.alive.Add(1)
	return &libraryEngine{tls: made, keys: c.keys, alive: c.alive}, nil
}

// free ends the making of engines. Those made live on.
func (c *libraryContext) free() { C.SSL_CTX_free(c.ctx) }
