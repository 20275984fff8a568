//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbl/e2e/stage"
)

// clients are the published client libraries: what runs their conversation.
// prepare.sh has installed them.
var clients = []struct {
	name    string
	command []string
	env     []string
}{
	{"Python", []string{cache("python/bin/python"), "python/conversation.py"}, nil},
	{"JavaScript", []string{"node", "javascript/conversation.js"}, []string{"NODE_PATH=" + cache("javascript/node_modules")}},
	{"Java", java("java", "Conversation"), nil},
}

// cache is a path below .cache/interop, from the root of the file system.
func cache(path string) string { return here(filepath.Join("../.cache/interop", path)) }

// java is the command of a program in one of this folder's folders.
func java(folder, program string, args ...string) []string {
	classes := cache(folder+"/classes") + ":" + cache(folder+"/lib") + "/*"
	return append([]string{"java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes, program}, args...)
}

// here is a path from this folder, from the root of the file system.
func here(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return absolute
}

func TestPublishedClients(t *testing.T) {
	service, key := startService(t)
	id := connectDevice(t, service, key)
	for _, client := range clients {
		t.Run(client.name, func(t *testing.T) {
			recorder, address := record(t, service)
			env := append(os.Environ(), client.env...)
			converse(t, client.command, "", append(env,
				"MBED_CLOUD_SDK_HOST="+address, "MBED_CLOUD_SDK_API_KEY="+key, "DEVICE_ID="+id, "HOME="+t.TempDir()))
			for _, problem := range recorder.Problems() {
				t.Errorf("not as published: %s", problem)
			}
			t.Logf("operations used:\n%s", strings.Join(recorder.Operations(), "\n"))
		})
	}
}

// TestOurOwnClient holds mbl-cli's requests against the document too.
func TestOurOwnClient(t *testing.T) {
	service, key := startService(t)
	id := connectDevice(t, service, key)
	recorder, address := record(t, service)
	workstation, err := stage.NewWorkstation(bin(t, "mbl-cli"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workstation.Run("--api-url", address, "save-api-key", key); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"list-certificates", "device list", "device show " + id,
		"device read " + id + " /3/0/16", "device read " + id + " /3", "device write " + id + " /1/0/1 4000", "device exec " + id + " /1/0/8",
		"device observe " + id + " /1/0/1 /3 --count 2",
	} {
		if _, err := workstation.Run(append([]string{"--no-input"}, strings.Fields(command)...)...); err != nil {
			t.Error(err)
		}
	}
	for _, problem := range recorder.Problems() {
		t.Errorf("not as published: %s", problem)
	}
	if len(recorder.Operations()) == 0 {
		t.Error("mbl-cli asked the service nothing")
	}
}

// record puts a recorder in front of the service.
func record(t *testing.T, service *stage.Service) (*Recorder, string) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	recorder, err := NewRecorder(service.HTTP, doc)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(http.Handler(recorder))
	t.Cleanup(front.Close)
	return recorder, front.URL
}

// converse runs a conversation in a folder, this one if it is empty, and makes a subtest of each line it prints.
func converse(t *testing.T, command []string, dir string, env []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*stage.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, env
	var details bytes.Buffer
	cmd.Stderr = &details
	out, err := cmd.Output()
	checks := 0
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		checks++
		line := lines.Text()
		name, failed := strings.CutPrefix(line, "not ok ")
		t.Run(strings.TrimPrefix(name, "ok "), func(t *testing.T) {
			if failed {
				t.Error(line)
			}
		})
	}
	if err != nil || checks == 0 {
		t.Errorf("%s: %v, after %d checks\n%s", command[1], err, checks, details.String())
	}
}

func startService(t *testing.T, flags ...string) (service *stage.Service, key string) {
	t.Helper()
	dir := t.TempDir()
	service, err := stage.StartService(bin(t, "mbl-cloud"), filepath.Join(dir, "data"), stage.Options{Dir: dir},
		slices.Concat(stage.ServiceFlags(), []string{"--private-callbacks"}, flags)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Stop() })
	key, err = service.NewKey("interop", "administrators")
	if err != nil {
		t.Fatal(err)
	}
	return service, key
}

// connectDevice provisions a virtual device and returns the id it registers
// under.
func connectDevice(t *testing.T, service *stage.Service, key string) string {
	t.Helper()
	dir := t.TempDir()
	device, err := stage.StartDevice(bin(t, "mbl-sandbox"), "interop-device", filepath.Join(dir, "root"), stage.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Stop() })
	workstation, err := stage.NewWorkstation(bin(t, "mbl-cli"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := workstation.Prepare(service, key); err != nil {
		t.Fatal(err)
	}
	if err := workstation.Provision(device, "interop-devices"); err != nil {
		t.Fatal(err)
	}
	id, err := service.Registered(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stage.Patience)
	t.Cleanup(cancel)
	return ctx
}

// bin is one of our programs, which make interop has built.
func bin(t *testing.T, name string) string {
	t.Helper()
	return here(filepath.Join("../bin", name))
}
