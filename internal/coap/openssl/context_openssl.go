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
	alive  *atomic.Int64 // engines not freed
}

var _ engineContext = (*libraryContext)(nil)

// newContext makes a context with one suite. The original client's suite is
// too short for OpenSSL's usual security level.
func newContext(cfg contextConfig) (engineContext, error) {
	settings := (*C.mbl_settings)(C.calloc(1, C.sizeof_mbl_settings))
	defer C.free(unsafe.Pointer(settings))
	level := 2
	if cfg.suite == CCM8 {
		level = 0
	}
	settings.ciphers = C.CString(fmt.Sprintf("%s:@SECLEVEL=%d", cfg.suite, level))
	defer C.free(unsafe.Pointer(settings.ciphers))
	if cfg.server {
		settings.server = 1
	}
	key, err := keyBytes(cfg.certificate)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	settings.key, settings.key_size = lend(key)
	defer takeBack(settings.key, settings.key_size)
	settings.certificate, settings.certificate_size = lend(cfg.certificate.Certificate[0])
	defer takeBack(settings.certificate, settings.certificate_size)
	settings.session_context, settings.session_context_size = lend([]byte(cfg.sessions))
	defer takeBack(settings.session_context, settings.session_context_size)
	settings.session_lifetime = C.long(cfg.lifetime.Seconds())

	var code C.ulong
	ctx := C.mbl_context_new(settings, &code)
	if ctx == nil {
		return nil, fmt.Errorf("cannot set up OpenSSL: %w", libraryError(code))
	}
	made := &libraryContext{ctx: ctx, server: settings.server, alive: new(atomic.Int64)}
	for _, certificate := range cfg.certificate.Certificate[1:] {
		if C.mbl_context_add_chain(ctx, bytePointer(certificate), C.size_t(len(certificate))) == 0 {
			made.free()
			return nil, errors.New("cannot set up OpenSSL: not a chain of certificates")
		}
	}
	return made, nil
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
	return &libraryEngine{tls: made, alive: c.alive}, nil
}

// free ends the making of engines. Those made live on.
func (c *libraryContext) free() { C.SSL_CTX_free(c.ctx) }
