package cli_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mbl/internal/cli"
	"mbl/internal/program"
	"mbl/internal/program/programtest"
)

// TestMain makes the test binary be mbl-cli too, for the scripts.
func TestMain(m *testing.M) {
	programtest.DefaultSignals()
	testscript.Main(m, map[string]func(){"mbl-cli": func() { program.Run(cli.Main) }})
}

// TestScripts runs testdata/*.txtar. On top of testscript's own words they say:
//
//	exits CODE PROGRAM ARG...   run a program and check its exit code
//	sent [!] REGEXP             what the service has (not) been asked
//	mode OCTAL PATH...          the rights of files
//
// $SERVICE is a service with the good key ak_1good; below $SERVICE/html,
// $SERVICE/elsewhere and $SERVICE/STATUS it answers with a web page, a
// redirect and that status. $ADDRESS is $SERVICE without http://. $GROUP is a group of whoever runs the test.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setUp,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": runForCode,
			"sent":  checkSent,
			"mode":  checkMode,
		},
	})
}

type serviceKey struct{}

func setUp(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	service := newFakeService(env.Defer)
	env.Values[serviceKey{}] = service
	env.Setenv("HOME", home)
	env.Setenv("SERVICE", service.url)
	env.Setenv("ADDRESS", strings.TrimPrefix(service.url, "http://"))
	env.Setenv("GROUP", strconv.Itoa(os.Getgid()))
	return os.MkdirAll(home, 0o755)
}

func runForCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	refuseKeys(ts)
}

// refuseKeys fails if a program has shown an API key: none may, ever.
func refuseKeys(ts *testscript.TestScript) {
	for _, stream := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(stream), "ak_1") {
			ts.Fatalf("an API key is on %s", stream)
		}
	}
}

func checkSent(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] sent REGEXP")
	}
	sent := ts.Value(serviceKey{}).(*fakeService).journal()
	if regexp.MustCompile("(?m)"+args[0]).MatchString(sent) == neg {
		ts.Fatalf("the service was asked:\n%s", sent)
	}
}

func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode OCTAL PATH...")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	for _, path := range args[1:] {
		info, err := os.Stat(ts.MkAbs(path))
		ts.Check(err)
		if uint64(info.Mode().Perm()) != want {
			ts.Fatalf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}
