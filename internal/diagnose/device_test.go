package diagnose

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

// localShell is a device that is this machine.
type localShell struct {
	command []string
	path    string // stands before PATH
}

func (s localShell) Run(ctx context.Context, cmd ssh.Command) (int, error) {
	command := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	command.Env = append(os.Environ(), "PATH="+s.path+":"+os.Getenv("PATH"))
	command.Stdin, command.Stdout, command.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
	var exit *exec.ExitError
	if err := command.Run(); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	} else if err != nil {
		return 0, err
	}
	return 0, nil
}

func (localShell) Target() ssh.Target { return ssh.Target{User: "root", Host: "192.0.2.7"} }

func (localShell) Close() error { return nil }

// shells are those that devices have; each gets an empty /scratch.
func shells(t *testing.T, test func(t *testing.T, device localShell, place layout)) {
	t.Helper()
	for name, command := range map[string][]string{
		"dash":    {sshtest.Program(t, "dash", "dash")},
		"busybox": {sshtest.Program(t, "busybox", "busybox"), "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			place := layout{util: filepath.Join(root, "util"), scratch: filepath.Join(root, "scratch")}
			if err := os.Mkdir(place.scratch, 0o755); err != nil {
				t.Fatal(err)
			}
			test(t, localShell{command, filepath.Join(root, "bin")}, place)
		})
	}
}

func program(t *testing.T, path, lines string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestADeviceAnswersAllQuestions(t *testing.T) {
	shells(t, func(t *testing.T, device localShell, place layout) {
		program(t, place.util, `case $1 in --get-pelion-status) echo asking; echo "Item does not exist:x" >&2; exit 1 ;; *) exit 2 ;; esac`)
		program(t, filepath.Join(device.path, "mbl-device"),
			`case $1 in --version) echo "mbl-device v1" ;; status) printf '{\n"provisioned":true}\n' ;; *) echo '{"server":"'"${3#--server=}"'","reachable":true}' ;; esac`)
		said, err := ask(t.Context(), device, place, "coaps://server.example:5684")
		if err != nil {
			t.Fatal(err)
		}
		for word, want := range map[string]string{
			"util": "there", "version": "mbl-device v1", "provisioned": "1 Item does not exist:x", "scratch": "writable",
			"state": "{\n\"provisioned\":true}", "server": `{"server":"coaps://server.example:5684","reachable":true}`,
		} {
			if said[word] != want {
				t.Errorf("%s is %q, want %q", word, said[word], want)
			}
		}
		if _, whole := said["done"]; !whole {
			t.Error("the script did not come to its end")
		}
		for _, check := range []Check{said.storage(), said.clock(time.Now()), said.util(device.Target())} {
			if check.Result != OK {
				t.Errorf("%+v", check)
			}
		}
		if left, err := os.ReadDir(place.scratch); err != nil || len(left) > 0 {
			t.Errorf("left on the device: %v, %v", left, err)
		}
	})
}

func TestABareDeviceIsToldWhatItLacks(t *testing.T) {
	shells(t, func(t *testing.T, device localShell, place layout) {
		if err := os.Remove(place.scratch); err != nil {
			t.Fatal(err)
		}
		said, err := ask(t.Context(), device, place, "coaps://localhost:5684")
		if err != nil {
			t.Fatal(err)
		}
		want := []struct {
			check  Check
			result Result
			text   string
		}{
			{said.util(device.Target()), Failed, "enroll root@192.0.2.7"},
			{said.provisioned(), NotTried, "no pelion-provisioning-util"},
			{said.connected(), NotTried, "no mbl-device"},
			{said.storage(), Failed, "no folder /scratch"},
			{said.server("coaps://localhost:5684"), NotTried, "finds localhost"},
		}
		for _, w := range want {
			if w.check.Result != w.result || !strings.Contains(w.check.Said+w.check.Remedy, w.text) {
				t.Errorf("%+v, want %s and %q", w.check, w.result, w.text)
			}
		}
	})
}

func TestWhatAnswersMean(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	const bootstrap = "coaps://server.example:5684"
	tests := map[string]struct {
		said   answers
		check  func(answers) Check
		result Result
		text   string
	}{
		"a clock of 1970":    {answers{"clock": "12"}, func(a answers) Check { return a.clock(now) }, Warning, "1970-01-01"},
		"a clock a bit off":  {answers{"clock": strconv.FormatInt(now.Unix()+9, 10)}, func(a answers) Check { return a.clock(now) }, OK, "9s"},
		"no date":            {answers{"clock": "", "done": ""}, func(a answers) Check { return a.clock(now) }, NotTried, "no date"},
		"a full storage":     {answers{"scratch": "writable", "scratch-free": "/dev/x 100 99 1 99% /"}, answers.storage, Failed, "1 KiB"},
		"a narrow storage":   {answers{"scratch": "writable", "scratch-free": "/dev/x 1000 900 100 99% /"}, answers.storage, Warning, "100 KiB"},
		"an unknown df":      {answers{"scratch": "writable", "scratch-free": "df: what"}, answers.storage, OK, "can be written"},
		"a read-only root":   {answers{"scratch": "read-only"}, answers.storage, Failed, "cannot be written"},
		"a util that hangs":  {answers{"util": "there", "version": ""}, answers.provisioned, Failed, "in time"},
		"provisioned":        {answers{"provisioned": "0 "}, answers.provisioned, OK, ""},
		"not connected":      {answers{"state": `{"provisioned":true}`}, answers.connected, Warning, "not registered"},
		"connected":          {answers{"state": `{"provisioned":true,"registered":true}`}, answers.connected, OK, ""},
		"nonsense for state": {answers{"state": "\x1b[31m"}, answers.connected, Warning, "intelligible"},
		"a closed port": {
			answers{"server": `{"server":"coaps://s:1","problem":"refused"}`},
			func(a answers) Check { return a.server(bootstrap) }, Failed, "cannot reach coaps://s:1: refused",
		},
		"a server that refuses a provisioned device": {
			answers{"provisioned": "0", "server": `{"server":"coaps://s:1","reachable":true,"problem":"refused"}`},
			func(a answers) Check { return a.server(bootstrap) }, Failed, "provision-pelion",
		},
		"a server that refuses a stranger": {
			answers{"provisioned": "1 x", "server": `{"server":"coaps://s:1","reachable":true,"problem":"refused"}`},
			func(a answers) Check { return a.server(bootstrap) }, OK, "reaches coaps://s:1",
		},
		"an old mbl-device":   {answers{"server": ""}, func(a answers) Check { return a.server(bootstrap) }, NotTried, "too old"},
		"a name nobody knows": {answers{"name": "unknown"}, func(a answers) Check { return a.server(bootstrap) }, Warning, "server.example"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := test.check(test.said)
			if check.Result != test.result || !strings.Contains(check.Said+check.Remedy, test.text) {
				t.Errorf("%+v, want %s and %q", check, test.result, test.text)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("x\nmark clock 12\n\nmark done\n")
	f.Add("\nmark ")
	f.Fuzz(func(_ *testing.T, output string) {
		said := parse(output, "mark")
		for _, check := range []Check{said.storage(), said.clock(time.Unix(0, 0)), said.provisioned(), said.connected(), said.server("coaps://x:1")} {
			if check.Result == "" {
				panic("a check without a result")
			}
		}
	})
}
