package applications

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbl/internal/lwm2m"
)

// nothing is a registry that takes everything and keeps nothing.
type nothing struct {
	published chan *App
	left      chan *App
}

func newNothing() nothing { return nothing{make(chan *App, 100), make(chan *App, 100)} }

func (n nothing) Publish(app *App, _ []Resource) error { n.published <- app; return nil }
func (n nothing) Set(_ *App, values []Value) error {
	_, err := values[0].Of(Float)
	return err
}
func (n nothing) Withdraw(*App, lwm2m.Path) error { return nil }
func (n nothing) Leave(app *App)                  { n.left <- app }

// serve serves a socket until the test ends.
func serve(t *testing.T, registry Registry) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "applications.sock")
	listener, err := Listen(path, "", slog.New(slog.DiscardHandler))
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- listener.Serve(ctx, registry) }()
	t.Cleanup(func() {
		cancel()
		check(t, <-done)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	return path
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	check(t, err)
	check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrongIsSaidInOneLine(t *testing.T) {
	conn := dial(t, serve(t, newNothing()))
	lines := bufio.NewScanner(conn)
	one := func(resource string) string {
		return `{"do":"publish","resources":[{"path":"/3303/0/1",` + resource + `}]}`
	}
	for _, test := range []struct{ said, heard string }{
		{`hello`, `{"error":"not a message: invalid character 'h' looking for beginning of value"}`},
		{`{"do":"publsh"}`, `{"error":"\"do\" is one of publish, set, withdraw"}`},
		{`{"id":3,"do":"publish"}`, `{"id":3,"error":"publish 1 to 256 resources at a time"}`},
		{`{"do":"set","value":1}`, `{"error":"not a message: json: unknown field \"value\""}`},
		{`{"do":"set"} {"do":"set"}`, `{"error":"not a message: one JSON object a line"}`},
		{one(`"type":"float","value":"x"`), `{"error":"resource \"/3303/0/1\": its value is not a number"}`},
		{one(`"type":"float","value":1e999`), `{"error":"resource \"/3303/0/1\": its value is not a number"}`},
		{one(`"type":"integer","value":1.5`), `{"error":"resource \"/3303/0/1\": its value is not an integer"}`},
		{one(`"type":"boolean","value":1`), `{"error":"resource \"/3303/0/1\": its value is not true or false"}`},
		{one(`"type":"opaque","value":"?"`), `{"error":"resource \"/3303/0/1\": its value is not Base64"}`},
		{one(`"type":"string"`), `{"error":"resource \"/3303/0/1\": it has no value"}`},
		{one(`"type":"string","value":null`), `{"error":"resource \"/3303/0/1\": it has no value"}`},
		{one(`"type":"text","value":""`), `{"error":"resource \"/3303/0/1\": type is one of string, integer, float, boolean, opaque, time"}`},
		{one(`"executable":true,"writable":true`), `{"error":"resource \"/3303/0/1\": what is executable is neither readable nor writable"}`},
		{one(`"type":"string","readable":false`), `{"error":"resource \"/3303/0/1\": it is neither readable, writable nor executable"}`},
		{`{"do":"publish","resources":[{"path":"/3303/0"}]}`, `{"error":"resource \"/3303/0\": a path is /object/instance/resource"}`},
		{`{"do":"publish","resources":[{"path":"/3303/0/99999"}]}`, `{"error":"resource \"/3303/0/99999\": malformed LwM2M data: \"99999\" is no id in a path"}`},
		{`{"do":"set","values":{"/3303/0/1":true}}`, `{"error":"its value is not a number"}`},
		{`{"do":"withdraw"}`, `{"error":"paths are missing"}`},
		{`{"do":"withdraw","paths":["/"]}`, `{"error":"\"/\" is no path of an object, instance or resource"}`},
		{one(`"type":"string","value":"` + strings.Repeat("x", 8193) + `"`), `{"error":"resource \"/3303/0/1\": its value has 8193 bytes, more than 8192"}`},
		{one(`"type":"string","value":"x"`), `{"ok":true}`},
	} {
		_, err := fmt.Fprintln(conn, test.said)
		check(t, err)
		if !lines.Scan() || lines.Text() != test.heard {
			t.Errorf("said  %.100s\nheard %s\nwant  %s", test.said, lines.Text(), test.heard)
		}
	}
	_, err := io.WriteString(conn, strings.Repeat("x", maxLine+1))
	check(t, err)
	if !lines.Scan() || lines.Text() != `{"error":"a line has at most 65536 bytes"}` || lines.Scan() {
		t.Errorf("an endless line: heard %s", lines.Text())
	}
}

func TestAnApplicationThatDoesNotReadIsLeft(t *testing.T) {
	registry := newNothing()
	conn := dial(t, serve(t, registry))
	_, err := fmt.Fprintln(conn, `{"do":"publish","resources":[{"path":"/3303/0/1","executable":true}]}`)
	check(t, err)
	app := <-registry.published
	arguments := strings.Repeat("x", 60<<10)
	for range 100 { // more than any socket buffers
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		err = app.Execute(ctx, lwm2m.Path{3303, 0, 1}, arguments)
		cancel()
		if errors.Is(err, ErrGone) {
			break
		}
	}
	if !errors.Is(err, ErrGone) {
		t.Errorf("Execute: %v", err)
	}
	<-registry.left
}

func TestThereAreOnlySoManyApplications(t *testing.T) {
	registry := newNothing()
	path := serve(t, registry)
	for range maxApps {
		_, err := fmt.Fprintln(dial(t, path), `{"do":"publish","resources":[{"path":"/3303/0/1","executable":true}]}`)
		check(t, err)
		<-registry.published
	}
	lines := bufio.NewScanner(dial(t, path))
	if !lines.Scan() || lines.Text() != `{"error":"there are 16 applications already"}` {
		t.Errorf("heard %q", lines.Text())
	}
}

func TestTheSocketIsTheUsersAndTheGroups(t *testing.T) {
	info, err := os.Lstat(serve(t, newNothing()))
	check(t, err)
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "s"), "no-such-group", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("a group that is not there: %v", err)
	}
}

func TestASocketLeftBehindIsReplacedAndNothingElseIs(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	check(t, err)
	old.SetUnlinkOnClose(false)
	check(t, old.Close())
	listener, err := Listen(stale, "", slog.New(slog.DiscardHandler))
	check(t, err)
	if _, err := Listen(stale, "", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("beside another one: %v", err)
	}
	check(t, listener.Close())
	file := filepath.Join(dir, "file")
	check(t, os.WriteFile(file, []byte("precious"), 0o600))
	if _, err := Listen(file, "", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file was replaced")
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("the file is %q, %v", content, err)
	}
}

// FuzzMessage: whatever a program says, what is published is within the
// limits.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"do":"publish","id":1,"resources":[{"path":"/3303/0/5700","type":"float","value":21.5}]}`,
		`{"do":"set","values":{"/3303/0/5700":22,"/1/2/3":"AQID"}}`, `{"do":"withdraw","paths":["/3303"]}`, `{"answer":1,"error":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parseMessage(line)
		if err != nil {
			return
		}
		resources, err := m.resources()
		if err == nil && (len(resources) == 0 || len(resources) > maxResources) {
			t.Errorf("%d resources", len(resources))
		}
		for _, r := range resources {
			if len(r.Path) != 3 || !r.Readable && !r.Writable && !r.Executable || r.Readable != (r.Value != nil) {
				t.Errorf("%+v", r)
			}
		}
		values, err := m.values()
		if err != nil {
			return
		}
		for _, v := range values {
			for _, each := range []Type{String, Integer, Float, Boolean, Opaque, Time} {
				if native, err := v.Of(each); err == nil && native == nil {
					t.Errorf("%v as %s is nothing", v.Path, each)
				}
			}
		}
	})
}
