package cli

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/discovery"
	"mbl/internal/program/programtest"
	"mbl/internal/usererr"
)

func on(link string, d discovery.Device) discovery.Device {
	d.Links = []string{link}
	return d
}

// keyed gives the search host keys by the first address of a report.
func keyed(s search, keys map[string]string) search {
	s.hostKey = func(_ context.Context, report discovery.Device) string { return keys[report.Addresses[0].String()] }
	return s
}

var (
	twinA = on("eth0", device("twin", 22, "192.0.2.7", "fe80::7%eth0"))
	twinB = on("eth1", device("twin", 22, "192.0.2.8", "fe80::8%eth1"))
)

func listOf(t *testing.T, d *desk, s search) []string {
	t.Helper()
	if err := d.listFoundDevices(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(d.out.String()), "\n")
	d.out.Reset()
	return lines
}

func TestNamesakesOnTwoLinksAreListedEach(t *testing.T) {
	for what, keys := range map[string]map[string]string{
		"other host keys": {"192.0.2.7": "SHA256:a", "192.0.2.8": "SHA256:b"},
		"no host keys":    {},
	} {
		for _, terminal := range []bool{false, true} {
			got := listOf(t, newDesk(t, "", terminal), keyed(network(twinA, twinB), keys))
			if want := []string{"1: twin: 192.0.2.7", "2: twin: 192.0.2.8"}; !slices.Equal(got, want) {
				t.Errorf("%s, on a terminal %t: listed %q", what, terminal, got)
			}
		}
	}
}

func TestABoardOnTwoLinksIsListedOnce(t *testing.T) {
	same := map[string]string{"192.0.2.7": "SHA256:a", "192.0.2.8": "SHA256:a"}
	shared := on("eth1", device("twin", 22, "192.0.2.7", "fe80::7%eth1"))
	for what, s := range map[string]search{
		"by its host key": keyed(network(twinA, twinB), same),
		"by its address":  network(twinA, shared), // nobody is asked for host keys
		"told of in pieces": keyed(network(on("eth1", device("twin", 22, "fe80::7%eth1")), twinA, shared, twinA),
			map[string]string{}),
	} {
		if got := listOf(t, newDesk(t, "", false), s); len(got) != 1 {
			t.Errorf("%s: listed %q", what, got)
		}
	}
	found, err := keyed(network(twinA, twinB), same).run(t.Context())
	if err != nil || len(found) != 1 || len(found[0].Addresses) != 4 || len(found[0].Links) != 2 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Boards of some makes have one and the same address on their USB cables:
// there only the link-local address leads to the one that was chosen.
func TestAnAddressThatSeveralClaimComesLast(t *testing.T) {
	s := keyed(network(
		on("usb0", device("gadget", 22, "192.168.7.2", "fe80::7%usb0")),
		on("usb1", device("gadget", 22, "192.168.7.2", "fe80::8%usb1")),
	), nil)
	if got := listOf(t, newDesk(t, "", false), s); !slices.Equal(got, []string{"1: gadget: fe80::7%usb0", "2: gadget: fe80::8%usb1"}) {
		t.Errorf("listed %q", got)
	}
}

func TestNamesakesAreChosenByNumberOrAddress(t *testing.T) {
	d := newDesk(t, "", false)
	listOf(t, d, keyed(network(twinA, twinB), nil))
	for wanted, want := range map[string]string{"1": "192.0.2.7", "2": "192.0.2.8", "192.0.2.8": "192.0.2.8", "fe80::7%eth0": "192.0.2.7"} {
		chosen, err := d.chooseDevice(t.Context(), keyed(network(twinB, twinA), nil), []string{wanted})
		if err != nil || chosen.Address != want {
			t.Errorf("select %s chose %+v, %v", wanted, chosen, err)
		}
	}
	_, err := d.chooseDevice(t.Context(), keyed(network(twinB, twinA), nil), []string{"twin"})
	if usererr.ExitCode(err) != usererr.ExitFailure || !strings.Contains(err.Error(), "2 devices go by the name twin: twin.local at 192.0.2.7, twin.local at 192.0.2.8") {
		t.Errorf("select twin: %v", err)
	}
	gone := keyed(network(twinA), nil)
	gone.timeout = 50 * time.Millisecond
	if chosen, err := d.chooseDevice(t.Context(), gone, []string{"2"}); err == nil {
		t.Errorf("the second does not answer any more, but was chosen: %+v", chosen)
	}
}

func TestNamesakesThatNoListHasShownAreNotGuessed(t *testing.T) {
	_, err := newDesk(t, "", false).chooseDevice(t.Context(), keyed(network(twinB, twinA), nil), []string{"twin"})
	if err == nil || !strings.Contains(err.Error(), "2 devices go by the name twin") {
		t.Errorf("got %v", err)
	}
}

func TestSelectTakesAHostName(t *testing.T) {
	other := on("eth1", device("twin", 22, "192.0.2.8"))
	other.Host = "Bench-2.local"
	for _, wanted := range []string{"bench-2", "bench-2.local", "bench-2.local."} {
		chosen, err := newDesk(t, "", false).chooseDevice(t.Context(), keyed(network(twinA, other), nil), []string{wanted})
		if err != nil || chosen.Address != "192.0.2.8" {
			t.Errorf("select %s chose %+v, %v", wanted, chosen, err)
		}
	}
}

func TestTheGoodbyeOnOneLinkLeavesTheOther(t *testing.T) {
	goodbye := twinA
	goodbye.Addresses = nil
	if got := listOf(t, newDesk(t, "", false), keyed(network(twinA, twinB, goodbye), nil)); !slices.Equal(got, []string{"1: twin: 192.0.2.8"}) {
		t.Errorf("listed %q", got)
	}
}

// A host key that cannot be had keeps nobody waiting for long.
func TestNobodyToAskForAHostKey(t *testing.T) {
	port := netip.MustParseAddrPort(programtest.KeptAddress(t)).Port()
	if key := hostKeyBehind(t.Context(), device("twin", port, "127.0.0.1")); key != "" {
		t.Errorf("it has shown %s", key)
	}
}
