// Package stagetest is what tests of the real programs have in common: the
// programs, a service with an API key, credentials. Only tests import it.
package stagetest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mbl/e2e/programs"
	"mbl/e2e/stage"
	"mbl/internal/credential"
	"mbl/internal/program/programtest"
)

// Main is the TestMain of a package that runs the real programs, which the test
// binary becomes by their names.
func Main(m *testing.M) {
	programtest.DefaultSignals()
	testscript.Main(m, programs.All())
}

// Check ends the test if there is an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Program is the path of one of our programs.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	Check(t, err)
	return path
}

// World is a running service, an administrator's key of it, and the channel of
// that key. It ends with the test.
type World struct {
	*stage.Service
	Dir     string // of the test
	Key     string
	Channel *stage.Channel

	opts  stage.Options
	flags []string // those it was started with
}

// Start starts a service in a folder of its own.
func Start(t testing.TB) *World {
	t.Helper()
	return StartOn(t, stage.Options{})
}

// StartOn starts one that runs as the options say, but for the folder. Without
// flags it serves on ports of its own that stay the same.
func StartOn(t testing.TB, opts stage.Options, flags ...string) *World {
	t.Helper()
	opts.Dir = t.TempDir()
	if len(flags) == 0 { // so that Again finds them free
		flags = []string{
			"--http", programtest.KeptAddress(t), "--bootstrap", programtest.KeptAddress(t), "--lwm2m", programtest.KeptAddress(t),
			"--download", "127.0.0.1:0", "--host", "127.0.0.1",
		}
	}
	w := &World{Dir: opts.Dir, opts: opts, flags: flags}
	w.serve(t, flags...)
	var err error
	w.Key, err = w.NewKey("test", "administrators")
	Check(t, err)
	w.Channel = w.OpenChannel(t.Context(), w.Key)
	return w
}

// Again starts the service once more, with the data and at the addresses of the
// one before, which has ended.
func (w *World) Again(t testing.TB) {
	t.Helper()
	w.serve(t, w.flags...)
}

func (w *World) serve(t testing.TB, flags ...string) {
	t.Helper()
	service, err := stage.StartService(Program(t, "mbl-cloud"), filepath.Join(w.Dir, "data"), w.opts, flags...)
	Check(t, err)
	t.Cleanup(func() { service.Stop() })
	w.Service = service
}

// Developer makes a developer certificate, with all that a device needs.
func (w *World) Developer(t testing.TB, name string) *credential.Developer {
	t.Helper()
	var made struct {
		Source string `json:"security_file_content"`
	}
	Check(t, w.Channel.Post(t.Context(), "/v3/developer-certificates", map[string]string{"name": name}, &made))
	developer, err := credential.ParseDeveloper([]byte(made.Source))
	Check(t, err)
	return developer
}
