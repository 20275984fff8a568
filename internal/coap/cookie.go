package coap

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

const (
	// cookieSize is what the DTLS library works with, in bytes.
	cookieSize = 20
	// cookiePeriod is how long a secret is used; a cookie is good for one to
	// two of them.
	cookiePeriod = time.Minute
)

// cookies are given to clients that begin, to be sent back (RFC 6347 §4.2.1):
// a datagram may name any sender, so nothing is kept and nothing is computed
// for one before it has proved that it receives what is sent to its address.
type cookies struct {
	mu              sync.Mutex
	present, before []byte // secrets
	since           time.Time
}

func newCookies() *cookies {
	return &cookies{present: newSecret(), before: newSecret(), since: time.Now()}
}

func newSecret() []byte {
	secret := make([]byte, sha256.Size)
	rand.Read(secret) // never fails: crypto/rand aborts the program instead
	return secret
}

// make makes the cookie of a client.
func (c *cookies) make(from netip.AddrPort, hello *clientHello) []byte {
	present, _ := c.secrets()
	return bake(present, from, hello)
}

// accept tells whether a client has sent its cookie back.
func (c *cookies) accept(from netip.AddrPort, hello *clientHello) bool {
	if len(hello.cookie) != cookieSize {
		return false
	}
	present, before := c.secrets()
	return hmac.Equal(hello.cookie, bake(present, from, hello)) || hmac.Equal(hello.cookie, bake(before, from, hello))
}

func (c *cookies) secrets() (present, before []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch age := time.Since(c.since); {
	case age > 2*cookiePeriod:
		c.present, c.before, c.since = newSecret(), newSecret(), time.Now()
	case age > cookiePeriod:
		c.present, c.before, c.since = newSecret(), c.present, time.Now()
	}
	return c.present, c.before
}

// bake makes a cookie of the client's address and of what it must repeat.
func bake(secret []byte, from netip.AddrPort, hello *clientHello) []byte {
	sum := hmac.New(sha256.New, secret)
	address := from.Addr().As16()
	sum.Write(address[:])
	sum.Write([]byte{byte(from.Port() >> 8), byte(from.Port())})
	sum.Write(hello.before)
	sum.Write(hello.after[:hello.settled])
	return sum.Sum(nil)[:cookieSize]
}
