package cloudapp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mbl/internal/cloudapp"
	"mbl/internal/program"
	"mbl/internal/program/programtest"
)

// asProgram in the environment makes the test binary mbl-cloud itself.
const asProgram = "MBL_CLOUD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		program.Run(cloudapp.Main)
	}
	os.Exit(m.Run())
}

var keyText = regexp.MustCompile(`ak_1[0-9A-Za-z+/]{107}`)

// output is a file that a running program writes to.
type output string

func (o output) open(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Create(string(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func (o output) String() string {
	text, err := os.ReadFile(string(o))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// running is a mbl-cloud serve.
type running struct {
	t              *testing.T
	command        *exec.Cmd
	data           string
	stdout, stderr output
	addresses      struct {
		HTTP, HTTPS, CA, Bootstrap, LwM2M, Download string
		BootstrapEarlier                            string `json:"bootstrap_earlier"`
		LwM2MEarlier                                string `json:"lwm2m_earlier"`
		PID                                         int
	}
	key string // an administrator's
}

func command(ctx context.Context, t *testing.T, environment []string, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	made := exec.CommandContext(ctx, self, arguments...)
	made.Env = append(os.Environ(), asProgram+"=1", "INVOCATION_ID=", "JOURNAL_STREAM=",
		"GORACE=atexit_sleep_ms=0") // the race detector would wait a second at each exit
	made.Env = append(made.Env, environment...)
	return made
}

// run runs mbl-cloud to its end.
func run(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a service that should have refused to start
	defer cancel()
	made := command(ctx, t, nil, arguments...)
	made.Stdout, made.Stderr = &out, &errs
	err := made.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return made.ProcessState.ExitCode(), out.String(), errs.String()
}

var anyPort = []string{
	"--http", "127.0.0.1:0", "--bootstrap", "127.0.0.1:0", "--lwm2m", "127.0.0.1:0", "--download", "127.0.0.1:0",
}

// keptPorts are the devices' ports of a service that is started more than once:
// devices find it again where it was.
func keptPorts(t *testing.T) []string {
	t.Helper()
	return []string{"--bootstrap", programtest.KeptAddress(t), "--lwm2m", programtest.KeptAddress(t)}
}

func serve(t *testing.T, data string, more ...string) *running {
	t.Helper()
	return serveIn(t, nil, data, more...)
}

func serveIn(t *testing.T, environment []string, data string, more ...string) *running {
	t.Helper()
	r := &running{t: t, data: data}
	r.command = command(t.Context(), t, environment, append(append([]string{"serve", "--data", data}, anyPort...), more...)...)
	r.stdout, r.stderr = output(filepath.Join(t.TempDir(), "stdout")), output(filepath.Join(t.TempDir(), "stderr"))
	r.command.Stdout, r.command.Stderr = r.stdout.open(t), r.stderr.open(t)
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.command.ProcessState == nil {
			r.kill()
		}
	})
	r.waitUntilReady()
	r.key = keyText.FindString(r.stdout.String())
	return r
}

// waitUntilReady reads run.json as soon as this process has written it.
func (r *running) waitUntilReady() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for {
		text, err := os.ReadFile(filepath.Join(r.data, "run.json"))
		if err == nil && json.Unmarshal(text, &r.addresses) == nil && r.addresses.PID == r.command.Process.Pid {
			return
		}
		select {
		case <-ctx.Done():
			r.kill()
			r.t.Fatalf("it does not serve: %s", r.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (r *running) kill() {
	r.command.Process.Kill() // it may have ended
	r.command.Wait()         // it was killed
}

// stop ends it as systemd does.
func (r *running) stop() {
	r.t.Helper()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.command.Wait(); err != nil {
		r.t.Fatalf("it did not stop cleanly: %v\n%s", err, r.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(r.data, "run.json")); !errors.Is(err, os.ErrNotExist) {
		r.t.Errorf("run.json is still there: %v", err)
	}
}

// ask sends a request and reads a JSON object.
func (r *running) ask(method, path, body string) (int, map[string]any) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.addresses.HTTP+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var answered map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answered); err != nil {
			r.t.Fatalf("%s %s: %q is no JSON", method, path, text)
		}
	}
	return response.StatusCode, answered
}

func (r *running) must(method, path, body string, status int) map[string]any {
	r.t.Helper()
	got, answered := r.ask(method, path, body)
	if got != status {
		r.t.Fatalf("%s %s is answered %d: %v", method, path, got, answered)
	}
	return answered
}
