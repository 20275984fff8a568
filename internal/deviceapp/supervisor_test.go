package deviceapp_test

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbl/internal/deviceapp"
	"mbl/internal/iostreams"
)

// systemd listens as systemd does, and returns what it is told, line by line.
func systemd(t *testing.T) <-chan string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	said := make(chan string, 1000)
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(buffer[:n])) {
				said <- strings.TrimSpace(line)
			}
		}
	}()
	return said
}

func awaitNotification(t *testing.T, said <-chan string, want string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case line := <-said:
			if line == want {
				return
			}
		case <-timeout:
			t.Fatalf("systemd was never told %s", want)
		}
	}
}

func TestSystemdIsToldHowTheDeviceIs(t *testing.T) {
	said := systemd(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() {
		ended <- deviceapp.Main(ctx, &iostreams.System{
			Name: "mbl-device", Args: []string{"--root", t.TempDir(), "run"}, Out: &out, Err: &errs,
			Getenv: func(string) string { return "" },
		})
	}()
	awaitNotification(t, said, "READY=1")
	awaitNotification(t, said, "STATUS=Not registered")
	for range 3 {
		awaitNotification(t, said, "WATCHDOG=1")
	}
	stop()
	awaitNotification(t, said, "STOPPING=1")
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}
