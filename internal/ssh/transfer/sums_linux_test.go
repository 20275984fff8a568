package transfer_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
	"mbl/internal/ssh/transfer"
)

// boardWith is a login to a device that has no SFTP, and of tools just those
// that a copy needs and the named ones; scripts replace some of them.
func boardWith(t *testing.T, tools []string, scripts map[string]string) *ssh.Client {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range append([]string{"sh", "ls", "cat", "tail", "dd", "chmod", "mv", "rm", "mkdir", "readlink", "tr"}, tools...) {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range scripts {
		if err := os.Remove(filepath.Join(bin, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(bin, name), "#!/bin/sh\n"+script+"\n", 0o755)
	}
	server := &sshtest.Server{
		Auth: xssh.ServerConfig{NoClientAuth: true},
		Run: func(line string, stdin io.Reader, stdout, stderr io.Writer) uint32 {
			command := exec.Command("sh", "-c", line)
			command.Env = []string{"PATH=" + bin}
			command.Stdin, command.Stdout, command.Stderr = stdin, stdout, stderr
			var exit *exec.ExitError
			if err := command.Run(); errors.As(err, &exit) {
				return uint32(exit.ExitCode())
			} else if err != nil {
				return 127
			}
			return 0
		},
	}
	address := server.Start(t) // makes its key too
	return login(t, &sshtest.Daemon{Addr: address, HostKey: server.HostKey.PublicKey(), ClientKeyFile: "none"}, "")
}

func TestWhatComputesChecksumsOnTheDevice(t *testing.T) {
	for want, boards := range map[string][]struct {
		tools   []string
		scripts map[string]string
	}{
		"sha256": {
			{tools: []string{"openssl"}},
			{tools: []string{"sha256sum"}},
			{tools: []string{"sha256sum"}, scripts: map[string]string{"openssl": `echo "unknown option -r" >&2; exit 1`}},
		},
		"size": {
			{},
			{scripts: map[string]string{"openssl": "exit 1", "sha256sum": "echo nonsense"}},
		},
	} {
		for _, board := range boards {
			client := boardWith(t, board.tools, board.scripts)
			dir := t.TempDir()
			content := random(t, dir+"/image", 9<<20)
			put, err := transfer.Put(t.Context(), client, dir+"/image", dir+"/there", transfer.Options{})
			if err != nil || put.Checked != want || put.Protocol != "shell" {
				t.Errorf("%+v: put: %+v, %v; want it to check the %s", board, put, err, want)
			}
			get, err := transfer.Get(t.Context(), client, dir+"/there", dir+"/back", transfer.Options{})
			if err != nil || get.Checked != want {
				t.Errorf("%+v: get: %+v, %v; want it to check the %s", board, get, err, want)
			}
			if back, err := os.ReadFile(dir + "/back"); err != nil || string(back) != string(content) {
				t.Errorf("%+v: the copy differs, %v", board, err)
			}
		}
	}
}

// What changes on the way is found out, on the way to the device and back, and
// nothing of it is left.
func TestACopyThatDiffersIsRefused(t *testing.T) {
	for _, sum := range []string{"openssl", "sha256sum"} {
		client := boardWith(t, []string{sum}, map[string]string{"cat": `if [ $# = 0 ]; then exec tr a b; fi; exec tr a b <"$1"`})
		for _, size := range []int{100, 9 << 20} {
			src, dst := t.TempDir(), t.TempDir()
			writeFile(t, src+"/image", strings.Repeat("a", size), 0o644)
			if _, err := transfer.Put(t.Context(), client, src+"/image", dst+"/image", transfer.Options{}); !errors.Is(err, transfer.ErrDiffers) {
				t.Errorf("%s, %d bytes: put: %v", sum, size, err)
			}
			if _, err := transfer.Get(t.Context(), client, src+"/image", dst+"/image", transfer.Options{}); !errors.Is(err, transfer.ErrDiffers) {
				t.Errorf("%s, %d bytes: get: %v", sum, size, err)
			}
			if left, err := os.ReadDir(dst); err != nil || len(left) > 0 {
				t.Errorf("%s, %d bytes: left behind: %v, %v", sum, size, left, err)
			}
		}
	}
}

func TestADryRunCountsAndChangesNothing(t *testing.T) {
	client := boardWith(t, nil, nil)
	src, dst := t.TempDir(), t.TempDir()
	makeTree(t, src)
	for direction, run := range map[string]func(context.Context, *ssh.Client, string, string, transfer.Options) (transfer.Result, error){
		"put": transfer.Put, "get": transfer.Get,
	} {
		result, err := run(t.Context(), client, src, dst+"/copy", transfer.Options{Recursive: true, DryRun: true})
		if err != nil || !result.DryRun || result.Files != 20 || result.Folders != 6 || result.Links != 5 || len(result.Skipped) != len(leftOut) || result.Bytes == 0 {
			t.Errorf("%s: %+v, %v", direction, result, err)
		}
		if left, err := os.ReadDir(dst); err != nil || len(left) > 0 {
			t.Errorf("%s: it made %v, %v", direction, left, err)
		}
	}
}
