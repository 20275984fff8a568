//go:build openssl

package openssl

// #cgo pkg-config: openssl
// #include <stdlib.h>
// #include <openssl/err.h>
// #include <openssl/x509.h>
// #include "tls.h"
import "C"

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"mbl/internal/coap/record"
)

// Supported says whether the program was built with OpenSSL.
const Supported = true

// GiveBack returns memory to the system that handshakes have needed and that
// is not used any more: C's allocator keeps it, for each thread apart.
func GiveBack() { C.mbl_give_back() }

// libraryEngine is an engine in OpenSSL's memory.
type libraryEngine struct {
	tls   *C.mbl_tls
	keys  bool          // pre-shared keys in place of certificates
	alive *atomic.Int64 // engines not freed
}

var _ engine = (*libraryEngine)(nil)

// bytePointer is what C gets to see of a slice, for the time of one call.
func bytePointer(data []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(data)) }

func (e *libraryEngine) offer(session []byte, approve func(certificate []byte) error) error {
	certificate := C.mbl_tls_load(e.tls, bytePointer(session), C.size_t(len(session)))
	if certificate == nil {
		C.mbl_tls_unload(e.tls)
		return fmt.Errorf("%w: not a session with a certificate", errProtocol)
	}
	err := approve(certificateBytes(certificate))
	if err == nil && C.mbl_tls_resume(e.tls) == 0 {
		err = fmt.Errorf("%w: session does not fit", errProtocol)
	}
	if err != nil {
		C.mbl_tls_unload(e.tls)
	}
	return err
}

func (e *libraryEngine) useKey(identity string, key []byte) error {
	name := C.CString(identity)
	defer C.free(unsafe.Pointer(name))
	if strings.ContainsRune(identity, 0) || C.mbl_tls_use_key(e.tls, name, bytePointer(key), C.size_t(len(key))) == 0 {
		return fmt.Errorf("%w: the pre-shared key cannot be used", errProtocol)
	}
	return nil
}

func (e *libraryEngine) handshake(record []byte) (done bool, err error) {
	outcome := C.mbl_tls_handshake(e.tls, bytePointer(record), C.size_t(len(record)))
	return outcome == C.MBL_OK, e.failure(outcome)
}

func (e *libraryEngine) state() (state, error) {
	session := C.SSL_get0_session(e.tls.ssl)
	var idSize C.uint
	id := C.SSL_SESSION_get_id(session, &idSize)
	reached := state{
		suite:     Suite(C.SSL_CIPHER_get_protocol_id(C.SSL_get_current_cipher(e.tls.ssl))),
		resumed:   C.SSL_session_reused(e.tls.ssl) != 0,
		sessionID: C.GoBytes(unsafe.Pointer(id), C.int(idSize)),
		session:   sessionBytes(session),
	}
	for i := 0; ; i++ {
		certificate := C.mbl_tls_peer(e.tls, C.int(i))
		if certificate == nil {
			break
		}
		reached.chain = append(reached.chain, certificateBytes(certificate))
	}
	if len(reached.chain) == 0 && !e.keys {
		return state{}, fmt.Errorf("%w: peer has no certificate", errProtocol)
	}
	reached.most = int(C.mbl_tls_most(e.tls))
	reached.secrets = e.secrets(session)
	return reached, nil
}

// secrets are what the handshake has agreed on.
func (e *libraryEngine) secrets(session *C.SSL_SESSION) record.Secrets {
	const masterSize, randomSize = 48, 32 // RFC 5246 §8.1, §7.4.1.2
	s := record.Secrets{
		Suite:        record.Suite(C.SSL_CIPHER_get_protocol_id(C.SSL_get_current_cipher(e.tls.ssl))),
		Master:       make([]byte, masterSize),
		ClientRandom: make([]byte, randomSize),
		ServerRandom: make([]byte, randomSize),
		Client:       C.SSL_is_server(e.tls.ssl) == 0,
	}
	s.Master = s.Master[:C.SSL_SESSION_get_master_key(session, bytePointer(s.Master), masterSize)]
	C.SSL_get_client_random(e.tls.ssl, bytePointer(s.ClientRandom), randomSize)
	C.SSL_get_server_random(e.tls.ssl, bytePointer(s.ServerRandom), randomSize)
	return s
}

func (e *libraryEngine) output() []byte {
	if e.tls.out_size == 0 {
		return nil
	}
	output := C.GoBytes(unsafe.Pointer(e.tls.out), C.int(e.tls.out_size))
	C.mbl_tls_sent(e.tls)
	return output
}

func (e *libraryEngine) free() {
	C.mbl_tls_free(e.tls)
	e.tls = nil
	e.alive.Add(-1)
}

func (e *libraryEngine) failure(outcome C.int) error {
	switch outcome {
	case C.MBL_OK, C.MBL_MORE:
		return nil
	default:
		return libraryError(e.tls.error)
	}
}

func libraryError(code C.ulong) error {
	if reason := C.ERR_reason_error_string(code); reason != nil {
		return fmt.Errorf("%w: %s", errProtocol, C.GoString(reason))
	}
	return fmt.Errorf("%w: OpenSSL error %#x", errProtocol, uint64(code))
}

func certificateBytes(certificate *C.X509) []byte {
	return encoded(func(to **C.uchar) C.int { return C.i2d_X509(certificate, to) })
}

func sessionBytes(session *C.SSL_SESSION) []byte {
	return encoded(func(to **C.uchar) C.int { return C.i2d_SSL_SESSION(session, to) })
}

// encoded fetches what one of OpenSSL's encoders writes; nil if it cannot.
func encoded(encode func(to **C.uchar) C.int) []byte {
	size := encode(nil)
	if size <= 0 {
		return nil
	}
	memory := C.malloc(C.size_t(size))
	defer C.free(memory)
	defer clear(unsafe.Slice((*byte)(memory), size)) // sessions are secret
	to := (*C.uchar)(memory)
	if encode(&to) != size {
		return nil
	}
	return slices.Clone(unsafe.Slice((*byte)(memory), size))
}
