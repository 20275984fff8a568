package cloudapp_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mbl/internal/coap"
)

// malformed is what strangers send to the ports for devices.
func malformed() [][]byte {
	record := func(kind byte, epoch byte, length uint16, body []byte) []byte {
		return append([]byte{kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 0, byte(length >> 8), byte(length)}, body...)
	}
	random := make([]byte, 1200)
	rand.Read(random) // never fails
	hello := append([]byte{1, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255, 254, 253}, random...)
	return [][]byte{
		{},
		{0},
		{22},
		random, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("SSH-2.0-a\r\n"),
		{0x40, 1, 0, 1},                            // CoAP without encryption
		record(22, 0, 0, nil),                      // an empty handshake record
		record(22, 0, 65535, random),               // a record longer than its datagram
		record(22, 0, uint16(len(hello)), hello),   // a ClientHello of noise
		record(22, 0, uint16(len(random)), random), // a handshake message of noise
		record(23, 1, uint16(len(random)), random), // data of no connection
		record(25, 1, uint16(len(random)), random), // data with a connection id nobody has
		record(21, 0, 2, []byte{2, 40}),            // a fatal alert
		{22, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff},
		{22, 3, 3, 0, 4, 1, 0, 0, 0},
		{0x80, 0x2e, 1, 0, 2}, // SSL 2
	}
}

// flood sends everything malformed to a port, many times, and leaves
// connections behind that say nothing. It returns what is to be closed.
func flood(t *testing.T, address string) (left []net.Conn) {
	t.Helper()
	const times, silent = 20, 100
	for _, network := range []string{"udp", "tcp"} {
		for n := range times {
			for _, data := range malformed() {
				conn, err := net.DialTimeout(network, address, 30*time.Second)
				if err != nil {
					if network == "tcp" {
						return left // built without OpenSSL
					}
					t.Fatal(err)
				}
				_, _ = conn.Write(data) // it may be closed already
				if network == "udp" || n%2 == 0 {
					conn.Close()
				} else {
					left = append(left, conn)
				}
			}
		}
	}
	for range silent {
		conn, err := net.DialTimeout("tcp", address, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, conn)
	}
	return left
}

var residentBytes = regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`)

func (r *running) resident() float64 {
	r.t.Helper()
	_, text := get(r.t, http.DefaultClient, r.addresses.HTTP+"/metrics")
	found := residentBytes.FindStringSubmatch(text)
	if found == nil {
		r.t.Fatal("the metrics do not tell the memory in use")
	}
	bytes, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return bytes
}

// Whatever is sent to its ports, devices get through, those connected stay
// connected, and no memory is lost to it.
func TestNothingSentToItsPortsHoldsUpDevices(t *testing.T) {
	r := serve(t, t.TempDir())
	developer := r.developer("a")
	first := accountOf(t, developer)
	device := first.bootstrap(t, developer, first.connectUDP(t))
	session := coap.NewSession(device.connectUDP(t), nil, coap.SessionConfig{})
	go func() { _ = session.Serve(t.Context()) }()
	if response, err := session.Do(limit(t), registration(developer)); err != nil || response.Code != coap.Created {
		t.Fatalf("registered: %v, %v", response, err)
	}
	before := r.resident()
	for _, address := range []string{r.addresses.Bootstrap, r.addresses.LwM2M} {
		for _, conn := range flood(t, strings.TrimPrefix(address, "coaps://")) {
			defer conn.Close()
		}
	}
	if err := session.Ping(limit(t)); err != nil {
		t.Errorf("the connected device: %v", err)
	}
	newcomer := r.developer("b")
	second := accountOf(t, newcomer)
	online := second.bootstrap(t, newcomer, second.connectUDP(t))
	if code, _ := post(t, online.connectUDP(t), registration(newcomer), nil); code != coap.Created {
		t.Errorf("a new device is answered %v", code)
	}
	r.must("GET", "/healthz", "", 200)
	if grown := r.resident() - before; grown > 64<<20 {
		t.Errorf("%.0f MiB more memory is in use", grown/(1<<20))
	}
	if log := r.stderr.String(); strings.Contains(log, "panic") || strings.Contains(log, "ERROR") {
		t.Errorf("the log says %s", log)
	}
	r.stop()
}

// Requests to the REST API that never end, or are larger than any may be.
func TestTheRESTPortLeavesWhoDawdlesAndRefusesWhatIsTooLarge(t *testing.T) {
	r := serve(t, t.TempDir())
	address := strings.TrimPrefix(r.addresses.HTTP, "http://")
	for range 100 { // each holds a connection for a while, and nobody up
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("POST /v3/api-keys HTTP/1.1\r\nHost: a\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", r.addresses.HTTP+"/v3/api-keys", io.LimitReader(endless{}, 100<<20))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("100 MiB are answered %d", response.StatusCode)
		}
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	} // else it was closed while we were writing, as it may
	header := http.Header{"Authorization": {"Bearer " + r.key}, "X-Large": {strings.Repeat("x", 1<<20)}}
	request, err = http.NewRequestWithContext(t.Context(), "GET", r.addresses.HTTP+"/v3/api-keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 1 MiB is answered %d", response.StatusCode)
		}
	}
	r.must("GET", "/v3/api-keys", "", 200)
	r.stop()
}

// endless is a body that goes on.
type endless struct{}

func (endless) Read(buffer []byte) (int, error) {
	for i := range buffer {
		buffer[i] = ' '
	}
	return len(buffer), nil
}

func TestAnAddressHasItsNumberOfHTTPConnectionsAndNoMore(t *testing.T) {
	r := serve(t, t.TempDir(), "--http-connections-per-address", "2")
	http.DefaultClient.CloseIdleConnections()
	address := strings.TrimPrefix(r.addresses.HTTP, "http://")
	healthy := func(conn net.Conn) bool {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("HTTP/1.1 200"))
		_, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
		if err == nil {
			_, err = io.ReadFull(conn, answer)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("nothing was answered, and nothing closed")
		}
		return err == nil && string(answer) == "HTTP/1.1 200"
	}
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	first, second := dial(), dial()
	if !healthy(first) || !healthy(second) {
		t.Error("the first two are not served")
	}
	if healthy(dial()) {
		t.Error("a third is served")
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(time.Minute); !healthy(dial()); { // until the service has noticed
		if time.Now().After(deadline) {
			t.Fatal("nobody takes the place of one that has left")
		}
	}
	r.stop()
}

func TestHTTPConnectionsAboveTheLimitWait(t *testing.T) {
	r := serve(t, t.TempDir(), "--http-connections", "1")
	http.DefaultClient.CloseIdleConnections()
	address := strings.TrimPrefix(r.addresses.HTTP, "http://")
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	const request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, conn := range []net.Conn{first, second} {
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(first, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Errorf("the first is answered %q, %v", answer, err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(second, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Errorf("the second is answered %q, %v", answer, err)
	}
	r.stop()
}
