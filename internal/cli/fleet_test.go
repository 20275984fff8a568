package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mbl/internal/secret"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

func TestTheListOfDevicesInAFile(t *testing.T) {
	content := "\uFEFF# the lab\r\n192.0.2.1\r\n\n  board #3 \n fe80::1%eth0 # by the window\nGer\u00e4t 7\n#\n192.0.2.9:2222 #"
	var got []string
	for _, line := range parseFleetLines(content) {
		got = append(got, fmt.Sprintf("%d=%s", line.number, line.text))
	}
	want := []string{"2=192.0.2.1", "4=board #3", "5=fe80::1%eth0", "6=Ger\u00e4t 7", "8=192.0.2.9:2222"}
	if !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestAFileThatIsNoListOfDevices(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "comments": "# nothing\n\n", "binary": "\xff\xfe\x00", "huge": strings.Repeat("192.0.2.1\n", 120_000),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := newDesk(t, "", false).members(t.Context(), fleetOptions{from: file}); usererr.ExitCode(err) != usererr.ExitFailure {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, file := range []string{dir, filepath.Join(dir, "gone")} {
		if _, err := newDesk(t, "", false).members(t.Context(), fleetOptions{from: file}); usererr.ExitCode(err) != usererr.ExitFailure {
			t.Errorf("%s: %v", file, err)
		}
	}
	bad := newDesk(t, "192.0.2.1\nboard.local:99999\n", false)
	_, err := bad.members(t.Context(), fleetOptions{from: "-"})
	if usererr.ExitCode(err) != usererr.ExitUsage || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a bad line: %v", err)
	}
}

// Names mean the devices of the last list; a device named twice is worked with
// once.
func TestDevicesAreNamedInSeveralWays(t *testing.T) {
	d := newDesk(t, "board a\nboard-b\n192.0.2.9\nlab.example.com\n", false)
	if err := d.rememberList([]foundDevice{asFound(boardA), asFound(boardB)}, time.Now()); err != nil {
		t.Fatal(err)
	}
	d.flags.addresses = []string{"192.0.2.1", "192.0.2.1"}
	members, err := d.members(t.Context(), fleetOptions{from: "-"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range members {
		got = append(got, m.String())
	}
	want := []string{"192.0.2.1", "board a (192.0.2.9)", "board-b ([fe80::1%eth0]:2222)", "lab.example.com"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testFleet(d *desk, parallel int, names ...string) *fleet {
	f := &fleet{app: d.app, parallel: parallel, screen: newScreen(d.app)}
	for _, name := range names {
		f.members = append(f.members, member{target: ssh.Target{Host: name}})
	}
	return f
}

func over(_ int, err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

func TestAFleetWorksWithAFewAtATimeAndWithAll(t *testing.T) {
	d := newDesk(t, "", false)
	f := testFleet(d, 3, strings.Fields("a b c d e f g h i j")...)
	var now, most, all atomic.Int32
	ended := f.run(t.Context(), task{over: over, do: func(_ context.Context, i int) error {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		all.Add(1)
		time.Sleep(time.Millisecond)
		if i%2 == 0 {
			return errors.New("failed")
		}
		return nil
	}})
	if all.Load() != 10 || most.Load() > 3 || len(ended) != 10 || strings.Count(d.out.String(), "done\n") != 5 {
		t.Errorf("%d devices, %d at a time, %v, printed %q", all.Load(), most.Load(), ended, &d.out)
	}
}

func TestCtrlCLeavesTheOthersUntried(t *testing.T) {
	d := newDesk(t, "", false)
	f := testFleet(d, 1, "a", "b", "c")
	ctx, interrupt := context.WithCancel(t.Context())
	ended := f.run(ctx, task{over: over, do: func(ctx context.Context, i int) error {
		if i == 1 {
			interrupt()
		}
		return ctx.Err()
	}})
	if ended[0] != nil || !errors.Is(ended[1], context.Canceled) || !errors.Is(ended[2], errNotTried) {
		t.Errorf("ended with %v", ended)
	}
}

func stranger(host string) error {
	return &ssh.HostKeyError{HostKey: ssh.HostKey{Host: host, Type: "ssh-ed25519", Fingerprint: "SHA256:" + host}, Reason: ssh.ErrHostKeyUnknown}
}

func TestUnknownHostKeysAreAskedAboutOnce(t *testing.T) {
	for answer, want := range map[string]int{"y\n": 0, "n\n": 2} {
		d := newDesk(t, answer, true)
		f := testFleet(d, 2, "a", "b", "c")
		ended := f.run(t.Context(), task{over: over, do: func(ctx context.Context, i int) error {
			name := f.members[i].target.Host
			if name == "b" {
				return nil
			}
			if f.config.AskHostKey == nil {
				return stranger(name)
			}
			if trusted, _ := f.config.AskHostKey(ctx, ssh.HostKey{Host: name, Type: "ssh-ed25519", Fingerprint: "SHA256:other"}); trusted {
				return errors.New("another key than the one shown is trusted")
			}
			if trusted, _ := f.config.AskHostKey(ctx, ssh.HostKey{Host: name, Type: "ssh-ed25519", Fingerprint: "SHA256:" + name}); !trusted {
				return errors.New("the key shown is not trusted")
			}
			return nil
		}})
		failed := len(slices.DeleteFunc(ended, func(err error) bool { return err == nil }))
		asked := d.err.String()
		if failed != want || strings.Count(asked, "[y/N]") != 1 || !strings.Contains(asked, "SHA256:a") || !strings.Contains(asked, "SHA256:c") {
			t.Errorf("answer %q: %d failed, asked %q", answer, failed, asked)
		}
	}
}

func TestUnknownHostKeysAreRefusedWhereNobodyCanBeAsked(t *testing.T) {
	d := newDesk(t, "y\n", false)
	f := testFleet(d, 2, "a")
	ended := f.run(t.Context(), task{over: over, do: func(context.Context, int) error { return stranger("a") }})
	if !isStranger(ended[0]) || strings.Contains(d.err.String(), "y/N") {
		t.Errorf("ended with %v, asked %q", ended, d.err.String())
	}
}

func TestAPassphraseIsAskedForOnce(t *testing.T) {
	var asked atomic.Int32
	ask := onceEach(func(_ context.Context, file string) (secret.Text, error) {
		asked.Add(1)
		return secret.New(file), nil
	})
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			if text, err := ask(t.Context(), "key"); err != nil || text.Reveal() != "key" {
				t.Error(text, err)
			}
		})
	}
	working.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// What stands on the terminal: a line for each device at work, taken back when
// one ends; never more lines than it has.
func TestTheLiveLines(t *testing.T) {
	d := newDesk(t, "", true)
	s := newScreen(d.app)
	s.err, s.out, s.rows, s.columns = &d.out, &d.out, 4, 10
	s.set(1, "one: connecting to it")
	s.set(2, "two: \u4e16\u754c\u4e16\u754c")
	s.set(3, "three")
	s.finish(1, "one: provisioned with all it needs")
	s.close()
	want := "one: conn\n" +
		"\x1b[1A\x1b[Jone: conn\ntwo: \u4e16\u754c\n" +
		"\x1b[2A\x1b[Jone: conn\ntwo: \u4e16\u754c\n" +
		"\x1b[2A\x1b[Jone: provisioned with all it needs\ntwo: \u4e16\u754c\nthree\n" +
		"\x1b[2A\x1b[J"
	if d.out.String() != want {
		t.Errorf("wrote %q, want %q", d.out.String(), want)
	}
}

func TestNoEscapeCodesWithoutATerminal(t *testing.T) {
	d := newDesk(t, "", false)
	s := newScreen(d.app)
	s.set(1, "one: connecting")
	s.finish(1, "one: provisioned")
	s.close()
	if d.out.String() != "one: provisioned\n" || d.err.Len() > 0 {
		t.Errorf("wrote %q and %q", d.out.String(), d.err.String())
	}
	d.flags.output, d.flags.quiet = outputJSON, true
	if s := newScreen(d.app); s.out != io.Discard {
		t.Error("-q -o json has lines beside the report")
	}
}

func TestOneHintWhereOneThingHelpsThemAll(t *testing.T) {
	unknown, off := "add --accept-new-host-key", "is it switched on?"
	for _, c := range []struct {
		hints []string
		want  string
	}{
		{[]string{unknown, unknown}, unknown + "; " + againHint},
		{[]string{unknown, off}, againHint + "; -o json has a hint for each"},
		{[]string{unknown, ""}, againHint + "; -o json has a hint for each"},
	} {
		report := provisionedFleet{Devices: []fleetDevice{{Result: resultProvisioned}}}
		for _, hint := range c.hints {
			report.Devices = append(report.Devices, fleetDevice{Result: resultFailed, Hint: hint})
		}
		if got := report.hint(); got != c.want {
			t.Errorf("%q: hint %q", c.hints, got)
		}
	}
}
