package e2e

import (
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// wire is a TCP connection's way to a device that breaks once so many bytes
// have gone towards it.
type wire struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	left     int64
}

// startWire: wire BYTES – a way to $DEVICE that breaks; its address is $WIRE.
func startWire(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "wire BYTES")
	left, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	w := &wire{listener: listener, target: ts.Getenv("DEVICE"), left: left}
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv("WIRE", listener.Addr().String())
	go w.serve()
}

// serve lets connections through until the bytes are used up; later ones are
// refused, as if the cable were out.
func (w *wire) serve() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.carry(client)
	}
}

func (w *wire) carry(client net.Conn) {
	defer client.Close()
	device, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer device.Close()
	go func() {
		_, _ = io.Copy(client, device) // ends when either side closes
		_ = client.Close()
	}()
	buffer := make([]byte, 512)
	for {
		n, err := client.Read(buffer)
		allowed := w.spend(n)
		if _, werr := device.Write(buffer[:allowed]); err != nil || werr != nil || allowed < n {
			return
		}
	}
}

// spend takes n bytes off what is left, and returns how many may go.
func (w *wire) spend(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left < int64(n) {
		n = int(w.left)
		_ = w.listener.Close()
	}
	w.left -= int64(n)
	return n
}
