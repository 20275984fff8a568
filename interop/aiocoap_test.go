//go:build interop

package interop

import (
	"bytes"
	"strconv"
	"testing"
)

// again is how often a peer connects: rare encodings of keys and signatures are
// where libraries fail each other.
const again = 200

// TestAiocoap is a device on aiocoap, with tinydtls under DTLS and Python's ssl
// (OpenSSL) under TLS.
func TestAiocoap(t *testing.T) {
	const endpoint = "aiocoap-interop-01"
	service, apiKey := startService(t)
	channel := service.OpenChannel(t.Context(), apiKey)
	key := sharedKey(t, channel, endpoint)
	command := []string{cache("aiocoap/bin/python"), here("aiocoap/device.py"), service.Bootstrap, endpoint, key}

	t.Run("many handshakes", func(t *testing.T) {
		many := startPeer(t, append(command, strconv.Itoa(again))...)
		for range 2 {
			if h := many.wait("shook hands"); h.Times != again {
				t.Errorf("%d handshakes, want %d", h.Times, again)
			}
		}
	})
	p := startPeer(t, command...)
	if h := p.wait("bootstrapped"); len(h.Deleted) != 2 || !h.Deleted[0] || !h.Deleted[1] {
		t.Errorf("deleted: %v, want both objects", h.Deleted)
	}
	location := p.wait("registered").Location
	device := online{t, channel, location[len(location)-1]}
	if got := device.read("/3/0/0"); string(got) != "aiocoap" {
		t.Errorf("read %q", got)
	}
	if got := device.read("/16/0/0"); !bytes.Equal(got, long(5000)) {
		t.Errorf("a long value came as %d bytes", len(got))
	}
	device.write("/16/0/1", long(3000))
	if got := device.read("/16/0/1"); !bytes.Equal(got, long(3000)) {
		t.Errorf("a long value written came back as %d bytes", len(got))
	}
	device.execute("/3/0/4", "5")
	if h := p.wait("executed"); h.Value != "5" {
		t.Errorf("executed with %q", h.Value)
	}
	device.observe("/3303/0/5700", 3)
	p.wait("unobserved")
}

// long is a value that takes several blocks.
func long(size int) []byte {
	value := make([]byte, size)
	for i := range value {
		value[i] = byte('a' + i%26)
	}
	return value
}
