package coap

import (
	"reflect"

	"github.com/pion/dtls/v3"
)

// The DTLS library asks for cookies itself, and keeps a connection for every
// first datagram to remember the cookie it asked for. It takes none of ours,
// so what it remembers is overwritten once: between its question, which is
// never sent, and the answer it is given (docs/decisions/0036). This is the
// only place that reaches into it.

// setCookie makes the library wait for a cookie, and returns false if it
// cannot. It must be called from within the library's write of its
// HelloVerifyRequest: then nothing else uses the memory.
func setCookie(conn *dtls.Conn, cookie []byte) bool {
	expected := reflect.ValueOf(conn).Elem().FieldByName("state").FieldByName("cookie")
	if !isBytes(expected) || expected.Len() != len(cookie) {
		return false
	}
	copy(expected.Bytes(), cookie)
	return true
}

// canSetCookie tells whether the library is built as setCookie expects it.
func canSetCookie() bool {
	state, ok := reflect.TypeFor[dtls.Conn]().FieldByName("state")
	if !ok || state.Type.Kind() != reflect.Struct {
		return false
	}
	cookie, ok := state.Type.FieldByName("cookie")
	return ok && cookie.Type == reflect.TypeFor[[]byte]()
}

func isBytes(v reflect.Value) bool { return v.IsValid() && v.Type() == reflect.TypeFor[[]byte]() }
