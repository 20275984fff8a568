package discovery_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	"mbl/internal/discovery"
)

// A device announced on loopback is found there, with its odd name, without a
// network and without privileges; when it leaves, that is seen.
func TestSandboxDeviceIsFoundOnThisMachine(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	want := discovery.Device{
		Name:      fmt.Sprintf("Gerät 1.2 \\ (%d)", os.Getpid()),
		Host:      fmt.Sprintf("host-%d.local", os.Getpid()),
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")},
		Port:      2222,
		Links:     []string{"lo"},
	}
	announced, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		device := want
		device.Host = fmt.Sprintf("host-%d", os.Getpid())
		left <- discovery.Announce(announced, discovery.Announcement{Device: device, Texts: []string{"other=1"}, Log: log})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	found, err := discovery.Browse(ctx, discovery.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if device := next(t, found, want.Name); !device.Equal(want) {
		t.Errorf("found %+v, want %+v", device, want)
	}
	leave()
	if err := <-left; err != nil {
		t.Error(err)
	}
	if device := next(t, found, want.Name); len(device.Addresses) != 0 {
		t.Errorf("after its goodbye it is %+v", device)
	}
}

// next is the next report of the named device.
func next(t *testing.T, found <-chan discovery.Device, name string) discovery.Device {
	t.Helper()
	for device := range found {
		if device.Name == name {
			return device
		}
	}
	t.Fatalf("%q was not found", name)
	return discovery.Device{}
}
