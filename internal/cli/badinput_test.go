package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"mbl/internal/cli"
	"mbl/internal/iostreams"
	"mbl/internal/ssh/sshtest"
)

// mishap is a call that something is wrong with, and all that comes of it: one
// line that says what, one that says what to do next, an exit code, and
// nothing that was not there before.
//
// In typed, says and hint, $NAME stands for a place of the workplace; in says
// and hint, … stands for any text.
type mishap struct {
	name  string
	given func(w *workplace) // makes what is wrong; nil: the words are
	heard http.HandlerFunc   // the service answers so; nil: as it should
	typed string             // words apart by spaces; 'a b' is one word
	stdin string
	code  int
	says  string // after "mbl-cli: "
	hint  string // after "hint: "

	patience time.Duration // with the service; 0: enough for a busy machine

	shows  bool   // the command prints what it found all the same
	leaves string // what is new afterwards, as the message says; empty: nothing
}

// workplace is a person's home folder, a service and a device: a key is saved,
// the device is selected and its host key known, the team store has the
// developer certificate boards and the update certificate updates.
type workplace struct {
	t       *testing.T
	dir     string
	home    string
	device  deviceTree
	service *fakeService
	server  *sshtest.Server
	address string // of the device
	env     map[string]string
	words   map[string]string
	ready   bool

	patience time.Duration // with the service
	noShell  bool          // the device runs nothing
	hurried  bool          // the device gives a util one second
	started  func()        // called when the device begins to run a command; may be nil
}

// goodUtil is a util that provisions and says so.
const goodUtil = `#!/bin/sh
case $1 in
--provision) echo "Provisioning device."; echo "Provisioning process completed without error." ;;
*) echo "Device is configured correctly. You can connect to Pelion Cloud!" ;;
esac
`

func newWorkplace(t *testing.T) *workplace {
	t.Helper()
	dir := t.TempDir()
	w := &workplace{t: t, dir: dir, home: filepath.Join(dir, "home"), device: deviceTree(filepath.Join(dir, "device")), service: newFakeService(t.Cleanup)}
	w.env = map[string]string{"HOME": w.home, "XDG_CACHE_HOME": filepath.Join(dir, "cache")}
	w.server = &sshtest.Server{Run: w.runOnDevice, Auth: xssh.ServerConfig{
		PasswordCallback: func(_ xssh.ConnMetadata, password []byte) (*xssh.Permissions, error) {
			if string(password) != "open" {
				return nil, errors.New("refused")
			}
			return nil, nil
		},
	}}
	w.address = w.server.Start(t)
	w.words = map[string]string{
		"WORK": dir, "HOME": w.home, "SERVICE": w.service.url, "DEVICE": w.address,
		"TEAM": filepath.Join(w.home, ".mbl-store", "team"), "USER": filepath.Join(w.home, ".mbl-store", "user"),
	}
	w.write("device/util", goodUtil)
	w.must(os.Chmod(filepath.Join(string(w.device), "util"), 0o755))
	w.must(os.MkdirAll(filepath.Join(string(w.device), "scratch"), 0o755))
	w.write("home/.ssh/known_hosts", knownhosts.Line([]string{knownhosts.Normalize(w.address)}, w.server.HostKey.PublicKey())+"\n")
	w.write("home/.mbl-dev.json", fmt.Sprintf(`{"hostname": "board", "address": %q, "username": "root", "password": "open"}`, w.address))
	w.patience = time.Minute
	w.do("--api-url $SERVICE save-api-key ak_1good")
	w.do("create-update-certificate updates --domain example.com --model board")
	w.do("provision-pelion boards updates")
	w.ready = true
	return w
}

// runOnDevice is the device's shell.
func (w *workplace) runOnDevice(line string, stdin io.Reader, stdout, stderr io.Writer) uint32 {
	if w.noShell {
		_, _ = io.WriteString(stderr, "This account is currently not available.\n")
		return 1
	}
	if w.ready && w.started != nil {
		w.started()
	}
	if !w.hurried {
		return w.device.run(line, stdin, stdout, stderr)
	}
	script, err := io.ReadAll(stdin)
	if err != nil {
		return 1
	}
	fast := regexp.MustCompile(`patience=\d+`).ReplaceAllLiteral(script, []byte("patience=1"))
	return w.device.run(line, bytes.NewReader(fast), stdout, stderr)
}

// dropOnce cuts the connections once the util runs.
func (w *workplace) dropOnce() {
	for {
		if _, err := os.Stat(filepath.Join(string(w.device), "running")); err == nil {
			w.server.DropAll()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *workplace) otherHostKey() {
	w.write("home/.ssh/known_hosts", knownhosts.Line([]string{knownhosts.Normalize(w.address)}, sshtest.NewKey(w.t).PublicKey())+"\n")
}

// silentLog is where servers complain that clients hang up on them.
var silentLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

func (w *workplace) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// write makes a file below the workplace's folder.
func (w *workplace) write(name, content string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	w.must(os.MkdirAll(filepath.Dir(file), 0o755))
	w.must(os.WriteFile(file, []byte(content), 0o600))
}

// util gives the device another pelion-provisioning-util.
func (w *workplace) util(script string) {
	w.write("device/util", "#!/bin/sh\n"+script+"\n")
}

// with is the workplace as one mishap finds it: with another service, if that
// is what is wrong.
func (w *workplace) with(t *testing.T, m mishap) *workplace {
	t.Helper()
	own := *w
	own.t, own.env, own.words = t, maps.Clone(w.env), maps.Clone(w.words)
	own.patience = cmp.Or(m.patience, time.Minute)
	if m.heard != nil {
		server := httptest.NewServer(m.heard)
		t.Cleanup(server.Close)
		own.env["MBED_CLOUD_SDK_HOST"], own.env["MBED_CLOUD_SDK_API_KEY"] = server.URL, "ak_1good"
		own.words["SERVICE"] = server.URL
	}
	return &own
}

func (w *workplace) expand(text string) string {
	return os.Expand(text, func(name string) string {
		word, known := w.words[name]
		if !known {
			return "$" + name
		}
		return word
	})
}

// split makes words of a command line.
func split(line string) []string {
	var words []string
	for _, found := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(found, "'"))
	}
	return words
}

// do runs what has to succeed.
func (w *workplace) do(line string) {
	w.t.Helper()
	if code, _, said := w.run(w.t.Context(), line, ""); code != 0 {
		w.t.Fatalf("mbl-cli %s: exit code %d: %s", line, code, said)
	}
}

func (w *workplace) run(ctx context.Context, line, stdin string) (code int, out, said string) {
	var stdout, stderr bytes.Buffer
	code = cli.MainWithin(ctx, &iostreams.System{
		Args: split(w.expand(line)), Name: "mbl-cli",
		In: strings.NewReader(stdin), Out: &stdout, Err: &stderr,
		Getenv: func(name string) string { return w.env[name] },
	}, w.patience)
	return code, stdout.String(), stderr.String()
}

// snapshot is every file at the workplace with its rights and content, and
// what was changed in the service.
func (w *workplace) snapshot() map[string]string {
	w.t.Helper()
	files := map[string]string{}
	w.must(filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // the device tidies up just now
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files[path] = info.Mode().String()
		if info.Mode().IsRegular() && info.Size() < 1<<20 {
			content, err := os.ReadFile(path)
			files[path] += fmt.Sprintf(" %x", sha256.Sum256(content))
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}))
	for _, asked := range strings.Split(w.service.journal(), "\n") {
		if asked != "" && !strings.HasPrefix(asked, "GET ") {
			files["the service: "+asked] = "done"
		}
	}
	return files
}

// changed are the names that are not the same in both.
func changed(before, after map[string]string) []string {
	var names []string
	for name, is := range after {
		if before[name] != is {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, still := after[name]; !still {
			names = append(names, name+" (gone)")
		}
	}
	slices.Sort(names)
	return names
}

// left are the names that are not as they were. A device whose connection broke
// tidies up by itself, and may take a moment.
func (w *workplace) left(before map[string]string, except string) []string {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := slices.DeleteFunc(changed(before, w.snapshot()), func(name string) bool {
			return except != "" && regexp.MustCompile(except).MatchString(name)
		})
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// longestMishap is far more than any command waits for, on any machine.
const longestMishap = 3 * time.Minute

// refuses has each mishap happen. Those that spoil nothing share a workplace:
// the next would notice.
func refuses(t *testing.T, mishaps []mishap) {
	t.Helper()
	var shared *workplace
	for _, m := range mishaps {
		if m.given == nil && shared == nil {
			shared = newWorkplace(t)
		}
		t.Run(m.name, func(t *testing.T) {
			w := shared
			if m.given != nil {
				t.Parallel()
				w = newWorkplace(t)
				m.given(w)
			}
			w = w.with(t, m)
			before := w.snapshot()
			ctx, cancel := context.WithTimeout(t.Context(), longestMishap)
			defer cancel()
			code, out, said := w.run(ctx, m.typed, m.stdin)
			if ctx.Err() != nil {
				t.Error("it had not ended by itself")
			}
			if code != m.code {
				t.Errorf("exit code %d, want %d", code, m.code)
			}
			if out != "" && !m.shows {
				t.Errorf("printed %q", out)
			}
			w.saysOnce(said, "mbl-cli: ", m.says)
			w.saysOnce(said, "hint: ", m.hint)
			for _, forbidden := range []string{"ak_1", "\x1b", "goroutine", "PRIVATE KEY"} {
				if strings.Contains(out+said, forbidden) {
					t.Errorf("showed %q: %q", forbidden, out+said)
				}
			}
			for _, name := range w.left(before, m.leaves) {
				t.Errorf("not as it was: %s", name)
			}
		})
	}
}

// saysOnce checks the one line that begins so.
func (w *workplace) saysOnce(said, beginning, want string) {
	w.t.Helper()
	var lines []string
	for line := range strings.Lines(said) {
		if rest, ok := strings.CutPrefix(line, beginning); ok {
			lines = append(lines, strings.TrimSuffix(rest, "\n"))
		}
	}
	if want == "" && len(lines) == 0 {
		return
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(w.expand(want)), "…", ".*")
	if len(lines) != 1 || !regexp.MustCompile("^"+pattern+"$").MatchString(lines[0]) {
		w.t.Errorf("%s%q\nwant     %q\nof %q", beginning, lines, w.expand(want), said)
	}
}

// sortedKeys are the names of cases in a fixed order.
func sortedKeys[V any](cases map[string]V) []string { return slices.Sorted(maps.Keys(cases)) }
