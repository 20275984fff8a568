package sshserver_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
	"mbl/internal/ssh/transfer"
)

// onlySCP is a connection to the board by way of an account that may run scp
// and nothing else.
func (b *board) onlySCP(t *testing.T) *ssh.Client {
	t.Helper()
	inner := b.login(t)
	server := &sshtest.Server{HostKey: sshtest.NewKey(t), Run: func(line string, in io.Reader, out, errs io.Writer) uint32 {
		session, err := inner.NewSession()
		if err != nil || !strings.HasPrefix(line, "scp ") {
			return 1
		}
		defer session.Close()
		to, err := session.StdinPipe()
		if err != nil {
			return 1
		}
		go func() {
			_, _ = io.Copy(to, in)
			_ = to.Close()
		}()
		session.Stdout, session.Stderr = out, errs
		if session.Run(line) != nil {
			return 1
		}
		return 0
	}}
	server.Auth.NoClientAuth = true
	address := server.Start(t)
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	known := fmt.Sprintf("* %s", xssh.MarshalAuthorizedKey(server.HostKey.PublicKey()))
	if err := os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := ssh.ParseTarget("root@" + address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial(t.Context(), target, ssh.Config{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestFoldersGoAndComeByScpAlone(t *testing.T) {
	client := newBoard(t, nil).onlySCP(t)
	src, back := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(src+"/sub/sp ace", 0o750); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"a": 0o600, "sub/sp ace/it's": 0o755, "sub/empty": 0o444} {
		if err := os.WriteFile(src+"/"+name, []byte(strings.Repeat(name, len(name)%5*1000)), mode); err != nil {
			t.Fatal(err)
		}
	}
	sent, err := transfer.Put(t.Context(), client, src, "/tmp/tree", transfer.Options{Recursive: true})
	if err != nil || sent.Protocol != "scp" || sent.Files != 3 {
		t.Fatalf("%+v, %v", sent, err)
	}
	got, err := transfer.Get(t.Context(), client, "/tmp/tree", back, transfer.Options{Recursive: true})
	if err != nil || got.Files != 3 || got.Bytes != sent.Bytes {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, name := range []string{"a", "sub/sp ace/it's", "sub/empty"} {
		want, _ := os.ReadFile(src + "/" + name)
		info, err := os.Stat(back + "/tree/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		have, _ := os.ReadFile(back + "/tree/" + name)
		source, _ := os.Stat(src + "/" + name)
		if string(have) != string(want) || info.Mode() != source.Mode() {
			t.Errorf("%s: %v, %d bytes; want %v, %d", name, info.Mode(), len(have), source.Mode(), len(want))
		}
	}
}
