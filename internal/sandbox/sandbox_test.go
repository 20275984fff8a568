package sandbox_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbl/internal/iostreams"
	"mbl/internal/sandbox"
)

// Stand-ins for the programs of the project: each can be made to fail.
const (
	goodCloud = `#!/bin/sh
case $1 in
api-key) echo ak_secret ;;
serve)
	mkdir -p "$3"
	echo "{\"http\": \"http://127.0.0.1:1\", \"pid\": $$}" >"$3/run.json"
	echo serving >&2
	exec sleep 1000 ;;
esac
`
	goodDevice = `#!/bin/sh
mkdir -p "$3"
echo "{\"ssh\": \"127.0.0.1:1\", \"name\": \"$7\", \"pid\": $$}" >"$3/run.json"
exec sleep 1000
`
	goodCLI = `#!/bin/sh
[ "$*" != "${*#*save-api-key}" ] && { read -r key; echo "$key" >"$HOME/../../got-key"; }
echo "did $*"
case $* in *"device list") echo "x registered" ;; esac
`
)

// demo runs the demo with the programs given, in a temporary folder of its own.
func demo(t *testing.T, programs map[string]string) (code int, out, errs, left string) {
	t.Helper()
	dir := t.TempDir()
	bin, temp := filepath.Join(dir, "bin"), filepath.Join(dir, "tmp")
	for _, folder := range []string{bin, temp} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := bin + ":" + os.Getenv("PATH")
	t.Setenv("PATH", path)
	t.Setenv("TMPDIR", temp)
	var stdout, stderr bytes.Buffer
	code = sandbox.Main(t.Context(), &iostreams.System{
		Name: "mbl-sandbox", Args: []string{"demo"}, Out: &stdout, Err: &stderr, In: strings.NewReader(""),
		Getenv: func(name string) string { return map[string]string{"PATH": path, "TMPDIR": temp}[name] },
	})
	var names []string
	err := filepath.WalkDir(temp, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, entry.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code, stdout.String(), stderr.String(), strings.Join(names, " ")
}

func TestDemoShowsEachCommandAndLeavesNothing(t *testing.T) {
	code, out, errs, left := demo(t, map[string]string{"mbl-cloud": goodCloud, "mbl-sandbox": goodDevice, "mbl-cli": goodCLI})
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	for _, line := range []string{
		"$ mbl-cli --api-url http://127.0.0.1:1 save-api-key -\n",
		"$ mbl-cli -a 127.0.0.1:1 provision-pelion demo-cert demo-update --create-dev-cert --accept-new-host-key\n",
		"$ mbl-cli device list\ndid device list\nx registered\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in:\n%s", line, out)
		}
	}
	if strings.Contains(out+errs, "ak_secret") {
		t.Error("the API key was shown")
	}
	if left != "got-key" { // the stand-in for mbl-cli put it there
		t.Errorf("left behind: %s", left)
	}
}

func TestDemoSaysWhichStepFailedAndKeepsTheLogsOnly(t *testing.T) {
	code, out, errs, left := demo(t, map[string]string{
		"mbl-cloud": goodCloud, "mbl-sandbox": goodDevice,
		"mbl-cli": "#!/bin/sh\necho \"did $*\"\ncase $* in *provision-pelion*) echo it is broken; exit 7 ;; esac\n",
	})
	if code != 255 || !strings.Contains(errs, "provision-pelion") || !strings.Contains(errs, "exit code 7") {
		t.Errorf("exit code %d, said %q", code, errs)
	}
	if !strings.Contains(out, "it is broken") || !strings.Contains(errs, "service.log ends with:\n  serving") {
		t.Errorf("what it said is not shown: %q and %q", out, errs)
	}
	if !strings.Contains(left, "service.log") || strings.Contains(left, "run.json") {
		t.Errorf("left behind: %s", left)
	}
}

func TestDemoWithoutAService(t *testing.T) {
	code, _, errs, _ := demo(t, map[string]string{
		"mbl-cloud": "#!/bin/sh\necho no such luck >&2\nexit 1\n", "mbl-sandbox": goodDevice, "mbl-cli": goodCLI,
	})
	if code != 255 || !strings.Contains(errs, "the service ended at once") || !strings.Contains(errs, "no such luck") {
		t.Errorf("exit code %d, said %q", code, errs)
	}
}

func TestDeviceIsStartedAgainWhenItsProgramDies(t *testing.T) {
	bin, root := t.TempDir(), filepath.Join(t.TempDir(), "device")
	starts := filepath.Join(root, "starts")
	script := "#!/bin/sh\necho \"$*\" >>" + starts + "\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "mbl-device"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() {
		ended <- sandbox.Main(ctx, &iostreams.System{
			Args: []string{"device", "--root", root, "--ssh", "[::1]:0", "--announce=false"}, Out: &out, Err: &errs, Getenv: func(string) string { return "" },
		})
	}()
	want := strings.Repeat("--root "+root+" run --applications run/mbl-device/applications.sock --reboot-command kill \"$PPID\"\n", 2)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if data, err := os.ReadFile(starts); err == nil && strings.HasPrefix(string(data), want) {
			break
		}
	}
	if _, err := os.Stat(filepath.Join(root, "run.json")); err != nil {
		t.Error(err)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if data, err := os.ReadFile(starts); err != nil || !strings.HasPrefix(string(data), want) {
		t.Errorf("it was started as %q, %v", data, err)
	}
	if _, err := os.Stat(filepath.Join(root, "run.json")); err == nil {
		t.Error("run.json is left behind")
	}
}
