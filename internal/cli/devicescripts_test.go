package cli_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh/sshtest"
)

// TestDeviceScripts runs testdata/onedevice/*.txtar: the scripts of TestScripts
// with a device. $DEVICE is its address; it takes the password "open". What it
// has lies in $WORK/device: scratch/ is its /scratch, util its
// pelion-provisioning-util (each script brings one).
func TestDeviceScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/onedevice",
		Setup: func(env *testscript.Env) error { return errors.Join(setUp(env), setUpDevice(t, env)) },
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": runForCode,
			"sent":  checkSent,
		},
	})
}

func setUpDevice(t *testing.T, env *testscript.Env) error {
	device := deviceTree(filepath.Join(env.WorkDir, "device"))
	server := &sshtest.Server{Run: device.run, Auth: xssh.ServerConfig{
		PasswordCallback: func(_ xssh.ConnMetadata, password []byte) (*xssh.Permissions, error) {
			if string(password) != "open" {
				return nil, errors.New("refused")
			}
			return nil, nil
		},
	}}
	address := server.Start(t)
	env.Setenv("DEVICE", address)
	selection := fmt.Sprintf(`{"hostname": "board", "address": %q, "username": "root", "password": "open"}`, address)
	if err := os.WriteFile(filepath.Join(env.WorkDir, "home", ".mbl-dev.json"), []byte(selection), 0o600); err != nil {
		return err
	}
	vectors, err := filepath.Abs("../../testdata/vectors")
	env.Setenv("VECTORS", vectors)
	return errors.Join(err, os.MkdirAll(filepath.Join(string(device), "scratch"), 0o755))
}

// deviceTree is the folder that stands for a device's root.
type deviceTree string

// run runs a command with a real shell, which sees the tree's files where the
// device's would be.
func (d deviceTree) run(line string, stdin io.Reader, stdout, stderr io.Writer) uint32 {
	script, err := io.ReadAll(stdin)
	if err != nil {
		return 1
	}
	places := strings.NewReplacer(
		"/scratch/provisioning-certs", filepath.Join(string(d), "scratch", "provisioning-certs"),
		"='/scratch'", "='"+filepath.Join(string(d), "scratch")+"'",
		"/opt/arm/pelion-provisioning-util", filepath.Join(string(d), "util"))
	command := exec.Command("/bin/sh", "-c", line)
	command.Env = append(os.Environ(), "DEVICE_ROOT="+string(d), "PATH="+string(d)+":"+os.Getenv("PATH"))
	command.Stdin = strings.NewReader(places.Replace(string(script)))
	command.Stdout, command.Stderr = stdout, stderr
	var exit *exec.ExitError
	if err := command.Run(); errors.As(err, &exit) {
		return uint32(exit.ExitCode())
	}
	return 0
}
