package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/credstore"
	"mbl/internal/discovery"
	"mbl/internal/iostreams"
	"mbl/internal/usererr"
)

// desk is a person at mbl-cli with a home of their own.
type desk struct {
	*app
	out, err bytes.Buffer
	homeDir  string
}

func newDesk(t *testing.T, typed string, terminal bool) *desk {
	t.Helper()
	d := &desk{homeDir: t.TempDir()}
	d.app = newApp(&iostreams.System{
		In: strings.NewReader(typed), Out: &d.out, Err: &d.err,
		InTTY: terminal, OutTTY: terminal, ErrTTY: terminal,
		Getenv: func(name string) string { return map[string]string{"HOME": d.homeDir}[name] },
	})
	d.flags.output = outputText
	return d
}

// network answers with devices, one after the other.
func network(devices ...discovery.Device) search {
	return search{timeout: 5 * time.Second, answers: 300 * time.Millisecond, browse: func(ctx context.Context, _ discovery.Config) (<-chan discovery.Device, error) {
		reports := make(chan discovery.Device)
		go func() {
			defer close(reports)
			for _, device := range devices {
				select {
				case reports <- device:
				case <-ctx.Done():
					return
				}
			}
			<-ctx.Done()
		}()
		return reports, nil
	}}
}

func device(name string, port uint16, addresses ...string) discovery.Device {
	d := discovery.Device{Name: name, Host: name + ".local", Port: port}
	for _, address := range addresses {
		d.Addresses = append(d.Addresses, netip.MustParseAddr(address))
	}
	return d
}

var (
	boardA = device("board a", 22, "192.0.2.9", "fe80::9%eth0")
	boardB = device("board-b", 2222, "fe80::1%eth0")
)

func (d *desk) selected(t *testing.T) credstore.Selection {
	t.Helper()
	selection, err := d.selection()
	if err != nil {
		t.Fatal(err)
	}
	return selection
}

func TestListSortsByAddressForPrograms(t *testing.T) {
	d := newDesk(t, "", false)
	if err := d.listFoundDevices(t.Context(), network(boardB, boardA, device("gone", 22, "192.0.2.1"), device("gone", 22))); err != nil {
		t.Fatal(err)
	}
	if want := "1: board a: 192.0.2.9\n2: board-b: [fe80::1%eth0]:2222\n"; d.out.String() != want {
		t.Errorf("got %q, want %q", d.out.String(), want)
	}
	if !strings.HasPrefix(d.err.String(), "Discovering devices. This will take up to 5 seconds.\n") {
		t.Errorf("progress: %q", d.err.String())
	}
}

func TestListShowsDevicesAsTheyAnswerOnATerminal(t *testing.T) {
	d := newDesk(t, "", true)
	if err := d.listFoundDevices(t.Context(), network(boardB, boardA, boardB)); err != nil {
		t.Fatal(err)
	}
	if want := "1: board-b: [fe80::1%eth0]:2222\n2: board a: 192.0.2.9\n"; d.out.String() != want {
		t.Errorf("got %q, want %q", d.out.String(), want)
	}
}

// Names with spaces and letters of any script, and ports of their own, are
// listed, chosen and kept as they are.
func TestOddNamesAndPortsAreSelected(t *testing.T) {
	odd := device("Ger\u00e4t 7 \u4e16\u754c", 2222, "127.0.0.1")
	d := newDesk(t, "", false)
	if err := d.listFoundDevices(t.Context(), network(odd)); err != nil || d.out.String() != "1: "+odd.Name+": 127.0.0.1:2222\n" {
		t.Fatalf("listed %q, %v", &d.out, err)
	}
	for _, wanted := range []string{"1", odd.Name} {
		chosen, err := d.chooseDevice(t.Context(), network(odd), []string{wanted})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.keepSelection(t.Context(), chosen, false); err != nil {
			t.Fatal(err)
		}
		if kept := d.selected(t); kept.Hostname != odd.Name || kept.Address != "127.0.0.1:2222" {
			t.Errorf("select %s kept %+v", wanted, kept)
		}
	}
}

func TestNoTimeToAnswerIsWrongUse(t *testing.T) {
	for _, timeout := range []time.Duration{0, -time.Second} {
		s := network(boardA)
		s.timeout = timeout
		d := newDesk(t, "", false)
		if err := d.listFoundDevices(t.Context(), s); usererr.ExitCode(err) != usererr.ExitUsage || d.err.Len() > 0 {
			t.Errorf("%v: %v, having said %q", timeout, err, d.err.String())
		}
	}
}

func TestAQuestionWithoutAnAnswerLeavesNoHalfLine(t *testing.T) {
	d := newDesk(t, "", true)
	if _, err := d.chooseDevice(t.Context(), network(boardA), nil); !errors.Is(err, errInputEnded) {
		t.Errorf("error %v", err)
	}
	if !strings.HasSuffix(d.err.String(), "from the list: \n") {
		t.Errorf("the screen shows %q", d.err.String())
	}
}

func TestListOfNothing(t *testing.T) {
	d := newDesk(t, "", false)
	d.flags.output = outputJSON
	s := network()
	s.timeout = 10 * time.Millisecond
	if err := d.listFoundDevices(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if d.out.String() != "[]\n" || !strings.Contains(d.err.String(), "No devices found!") {
		t.Errorf("got %q and %q", d.out.String(), d.err.String())
	}
}

func TestListAsJSONHasEveryAddress(t *testing.T) {
	d := newDesk(t, "", true)
	d.flags.output = outputJSON
	if err := d.listFoundDevices(t.Context(), network(boardA)); err != nil {
		t.Fatal(err)
	}
	var got []foundDevice
	if err := json.Unmarshal(d.out.Bytes(), &got); err != nil || len(got) != 1 {
		t.Fatalf("got %q, %v", d.out.String(), err)
	}
	if strings.Join(got[0].Addresses, " ") != "192.0.2.9 fe80::9%eth0" || got[0].Host != "board a.local" {
		t.Errorf("got %+v", got[0])
	}
}

func TestSelectAsksOnATerminal(t *testing.T) {
	d := newDesk(t, "2\n", true)
	chosen, err := d.chooseDevice(t.Context(), network(boardB, boardA), nil)
	if err != nil || chosen.Name != "board a" {
		t.Errorf("chose %+v, %v", chosen, err)
	}
	if !strings.Contains(d.err.String(), "2: board a: 192.0.2.9\n\nSelect a device from the list: ") {
		t.Errorf("it showed %q", d.err.String())
	}
}

func TestSelectWithoutATerminalWantsAName(t *testing.T) {
	d := newDesk(t, "1\n", false)
	_, err := d.chooseDevice(t.Context(), network(boardA), nil)
	if usererr.ExitCode(err) != usererr.ExitUsage {
		t.Errorf("got %v", err)
	}
}

// "select 1" after "list" means the device that was shown as 1, even if
// another one now answers first.
func TestSelectTakesANumberOfTheLastList(t *testing.T) {
	d := newDesk(t, "", false)
	if err := d.listFoundDevices(t.Context(), network(boardA, boardB)); err != nil {
		t.Fatal(err)
	}
	chosen, err := d.chooseDevice(t.Context(), network(boardB, boardA), []string{"1"})
	if err != nil || chosen.Name != "board a" {
		t.Errorf("chose %+v, %v", chosen, err)
	}
	s := network(boardB)
	s.timeout = 10 * time.Millisecond
	if chosen, err := d.chooseDevice(t.Context(), s, []string{"1"}); err == nil {
		t.Errorf("it does not answer any more, but was chosen: %+v", chosen)
	}
}

// Who looks for one device waits longer for it than for whoever else may be
// there: after the first answer the question goes out three times more.
func TestADeviceThatIsLookedForMayAnswerLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSearch()
		s.browse = func(ctx context.Context, _ discovery.Config) (<-chan discovery.Device, error) {
			reports := make(chan discovery.Device)
			go func() {
				defer close(reports)
				reports <- boardA
				select {
				case <-time.After(7 * time.Second):
					reports <- boardB
					<-ctx.Done()
				case <-ctx.Done():
				}
			}()
			return reports, nil
		}
		chosen, err := newDesk(t, "", false).chooseDevice(t.Context(), s, []string{"board-b"})
		if err != nil || chosen.Name != "board-b" {
			t.Errorf("chose %+v, %v", chosen, err)
		}
	})
}

func TestAnOldListIsForgotten(t *testing.T) {
	d := newDesk(t, "", false)
	if err := d.rememberList([]foundDevice{asFound(boardA)}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	chosen, err := d.chooseDevice(t.Context(), network(boardB, boardA), []string{"1"})
	if err != nil || chosen.Name != "board-b" {
		t.Errorf("chose %+v, %v", chosen, err)
	}
}

func TestSelectFailsWhenTheDeviceDoesNotAnswer(t *testing.T) {
	s := network(boardA)
	s.timeout = 10 * time.Millisecond
	d := newDesk(t, "", false)
	_, err := d.chooseDevice(t.Context(), s, []string{"nobody"})
	if usererr.ExitCode(err) != usererr.ExitFailure {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.homeDir, ".mbl-dev.json")); err == nil {
		t.Error("something was selected")
	}
}

func TestSelectionKeepsTheAddressThatAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := closed.Addr().String()
	closed.Close()

	d := newDesk(t, "", false)
	found := asFound(device("board", port, "127.0.0.1"))
	found.Addresses = append([]string{silent}, found.Addresses...)
	if err := d.keepSelection(t.Context(), found, false); err != nil {
		t.Fatal(err)
	}
	want := credstore.Selection{Hostname: "board", Address: listener.Addr().String(), Username: "root"}
	if got := d.selected(t); got != want {
		t.Errorf("kept %+v, want %+v", got, want)
	}
	if want := "Selected board (" + listener.Addr().String() + ")\n"; d.out.String() != want {
		t.Errorf("said %q", d.out.String())
	}
}

func TestASelectionThatIsOnlyTriedKeepsNothing(t *testing.T) {
	d := newDesk(t, "", false)
	if err := d.keepSelection(t.Context(), asFound(device("board", 22, "127.0.0.1")), true); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.out.String(), "Would select board (") {
		t.Errorf("said %q", d.out.String())
	}
	file, err := d.selectionFile()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the selection was kept: %v", err)
	}
}

func TestWhich(t *testing.T) {
	d := newDesk(t, "", false)
	if err := d.which(); usererr.ExitCode(err) != usererr.ExitFailure {
		t.Errorf("before anything is selected: %v", err)
	}
	file, err := d.selectionFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := credstore.SaveSelection(file, credstore.Selection{Hostname: "vm", Address: "fd00::2%eth0", Username: "root"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		addresses []string
		alias     string
		want      string
	}{
		{want: "vm (fd00::2%eth0)\n"},
		{addresses: []string{"192.0.2.1:2222", "board.local"}, want: "192.0.2.1:2222\nboard.local\n"},
		{alias: "lab", want: "lab in the SSH configuration\n"},
	} {
		d.out.Reset()
		d.flags.addresses, d.flags.configHostname = test.addresses, test.alias
		if err := d.which(); err != nil || d.out.String() != test.want {
			t.Errorf("got %q, %v; want %q", d.out.String(), err, test.want)
		}
	}
}
