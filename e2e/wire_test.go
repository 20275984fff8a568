package e2e

import (
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mbl/e2e/stage"
)

// wire is a TCP connection's way to a device that fails once so many bytes
// have gone towards it.
type wire struct {
	listener net.Listener
	target   string
	stalls   bool          // the end is silence, not a broken connection
	used     chan struct{} // closed when the bytes are used up
	mu       sync.Mutex
	left     int64
}

// startWire: wire breaks|stalls BYTES – a way to $DEVICE; its address is $WIRE.
func startWire(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2 && (args[0] == "breaks" || args[0] == "stalls"), "wire breaks|stalls BYTES")
	left, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	w := &wire{listener: listener, target: ts.Getenv("DEVICE"), stalls: args[0] == "stalls", used: make(chan struct{}), left: left}
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv("WIRE", listener.Addr().String())
	processes(ts).wire = w
	go w.serve()
}

// waitForWire: used-up – waits until the last wire has carried all it does.
func waitForWire(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "used-up")
	select {
	case <-processes(ts).wire.used:
	case <-time.After(stage.Patience):
		ts.Fatalf("fewer bytes went towards the device")
	}
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
		if _, werr := device.Write(buffer[:allowed]); err != nil || werr != nil {
			return
		}
		if allowed < n && !w.stalls {
			return
		}
	}
}

// spend takes n bytes off what is left, and returns how many may go.
func (w *wire) spend(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left > int64(n) {
		w.left -= int64(n)
		return n
	}
	n = int(w.left)
	if w.left > 0 {
		_ = w.listener.Close() // nobody comes through any more
		close(w.used)
	}
	w.left = 0
	return n
}
