package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

func TestRecordsOfScp(t *testing.T) {
	good := map[string]record{
		"\x00":                      {},
		"\x01scp: x: no\n":          {kind: scpWarning, said: "scp: x: no"},
		"\x02bye\n":                 {kind: scpFatal, said: "bye"},
		"C0644 12 a b \n":           {kind: scpFile, entry: entry{name: "a b ", mode: 0o644, size: 12}},
		"C4755 0 x\n":               {kind: scpFile, entry: entry{name: "x", mode: 0o755}},
		"D0700 0 d\n":               {kind: scpFolder, entry: entry{name: "d", mode: fs.ModeDir | 0o700}},
		"E\n":                       {kind: scpEnd},
		"T1183828267 0 1183828 0\n": {kind: scpTimes},
	}
	for text, want := range good {
		if got, err := readRecord(bufio.NewReader(strings.NewReader(text))); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	bad := map[string]error{
		"C0644 1 ../x\n": ErrName, "C0644 1 ..\n": ErrName, "C0644 1 /etc/x\n": ErrName, "C0644 1 \n": ErrName,
		"D0755 0 .\n": ErrName, "D0755 0 a/b\n": ErrName, "C0644 1 a\x00\n": ErrName, `C0644 1 a\^Jb` + "\n": ErrLineEnd,
		"C0644 -1 x\n": errRecord, "C0644 99999999999999999999 x\n": errRecord, "C644 1 x\n": errRecord, "C0649 1 x\n": errRecord,
		"C00644 1 x\n": errRecord, "C0644 1\n": errRecord, "C\n": errRecord, "hello\n": errRecord, "only scp here\n": errRecord,
		"C" + strings.Repeat("x", 1<<20): errRecord, "": io.EOF, "C0644 1 x": io.EOF,
	}
	for text, want := range bad {
		if got, err := readRecord(bufio.NewReader(strings.NewReader(text))); !errors.Is(err, want) {
			t.Errorf("%.40q: %+v, %v; want %v", text, got, err, want)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte("C0644 12 name\nD0755 0 d\nE\nT1 0 1 0\n\x00\x01scp: x: no\n\x02bye\n"))
	f.Add([]byte("C0644 1 ../x\n"))
	f.Add([]byte(`C0644 1 a\^Jb` + "\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := bufio.NewReader(bytes.NewReader(sent))
		for {
			got, err := readRecord(r)
			if err != nil {
				return
			}
			named := got.kind == scpFile || got.kind == scpFolder
			if named && (filepath.Join("/inside", got.name) != "/inside/"+got.name || strings.ContainsAny(got.name, "/\n\x00")) {
				t.Errorf("the name %q", got.name)
			}
			if got.size < 0 || got.mode&^(fs.ModeDir|fs.ModePerm) != 0 {
				t.Errorf("size %d, mode %v", got.size, got.mode)
			}
		}
	})
}

// playSCP is a connection to a device whose scp is the function.
func playSCP(t *testing.T, scp func(line string, in io.Reader, out io.Writer) uint32) *ssh.Client {
	t.Helper()
	server := &sshtest.Server{HostKey: sshtest.NewKey(t), Run: func(line string, in io.Reader, out, _ io.Writer) uint32 {
		if !strings.HasPrefix(line, "scp ") {
			return 1
		}
		return scp(line, in, out)
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

func TestAHostileScpCannotWriteElsewhere(t *testing.T) {
	cases := map[string]struct {
		offer, folder, file string // what is sent: for itself, in the folder, and for the file
		err                 error
	}{
		"a name above":         {"D0755 0 src\n", "C0644 1 ../evil\n", "", ErrName},
		"an absolute name":     {"D0755 0 src\n", "C0644 1 /tmp/evil\n", "", ErrName},
		"a folder above":       {"D0755 0 src\n", "D0755 0 ..\n", "", ErrName},
		"a complaint above":    {"D0755 0 src\n", "\x01scp: src/..: not a regular file\nE\n", "", ErrName},
		"a negative size":      {"D0755 0 src\n", "C0644 -1 x\n", "", errRecord},
		"the end at once":      {"E\n", "", "", ssh.ErrExec},
		"times in the folder":  {"D0755 0 src\n", "T1 0 1 0\n", "", errRecord},
		"nothing any more":     {"D0755 0 src\n", "", "", errRecord},
		"another size":         {"D0755 0 src\n", "C0644 1 x\nE\n", "C0644 9000000000000000000 x\n" + strings.Repeat("x", 1<<20), ErrChanged},
		"more than the size":   {"D0755 0 src\n", "C0644 1 x\nE\n", "C0644 1 x\nxC0644 4 evil\nevil", errRecord},
		"less than the size":   {"D0755 0 src\n", "C0644 5 x\nE\n", "C0644 5 x\nx", errRecord},
		"a folder for a file":  {"D0755 0 src\n", "C0644 1 x\nE\n", "D0755 0 evil\nC0644 4 evil\nevil\x00", ErrChanged},
		"another file's name":  {"D0755 0 src\n", "C0644 4 x\nE\n", "C0644 4 evil\nevil\x00", nil},
		"a size for an empty":  {"D0755 0 src\n", "C0644 0 x\nE\n", "C0644 4 x\nevil\x00", ErrChanged},
		"its own end in words": {"D0755 0 src\n", "C0644 4 x\nE\n", "C0644 4 x\nev\x01\n\x01scp: x: No space left on device\n", ErrNoSpace},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := playSCP(t, func(line string, in io.Reader, out io.Writer) uint32 {
				answers := bufio.NewReader(in)
				_, _ = answers.ReadByte()
				if strings.HasSuffix(line, "src/x") {
					_, _ = io.WriteString(out, c.file)
					if c.err == nil || errors.Is(c.err, ErrChanged) {
						_, _ = io.Copy(io.Discard, answers)
					}
					return 0
				}
				_, _ = io.WriteString(out, c.offer)
				if answer, _ := answers.ReadByte(); answer == 0 && !strings.HasSuffix(line, ".") {
					_, _ = io.WriteString(out, c.folder)
				}
				if c.file != "" {
					_, _ = io.Copy(io.Discard, answers)
				}
				return 0
			})
			parent := t.TempDir()
			dst := filepath.Join(parent, "dst")
			_, err := Get(t.Context(), client, "src", dst, Options{Recursive: true})
			if !errors.Is(err, c.err) {
				t.Errorf("err = %v, want %v", err, c.err)
			}
			found, _ := filepath.Glob(parent + "/*")
			inside, _ := filepath.Glob(dst + "/*")
			hidden, _ := filepath.Glob(dst + "/.*")
			if len(found) > 1 || len(inside)+len(hidden) > 1 || c.err != nil && len(inside)+len(hidden) > 0 {
				t.Errorf("there are %q, %q, %q", found, inside, hidden)
			}
		})
	}
}

// What scp says as it ends counts, also while all of a large file is still on
// its way to it.
func TestAScpThatEndsInMidFileIsHeardOut(t *testing.T) {
	const size = 16 << 20
	client := playSCP(t, func(_ string, in io.Reader, out io.Writer) uint32 {
		_, _ = io.WriteString(out, "\x00")
		sent := bufio.NewReader(in)
		_, _ = sent.ReadString('\n')
		_, _ = io.WriteString(out, "\x00")
		_, _ = sent.ReadByte()
		_, _ = io.WriteString(out, "\x02scp: x: No space left on device\n")
		return 1
	})
	err := (&scpDevice{conn: client}).writeWhole(t.Context(), "x", 0o644, size, bytes.NewReader(make([]byte, size)))
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("err = %v, want %v", err, ErrNoSpace)
	}
}

func TestAFolderWithoutEndIsGivenUp(t *testing.T) {
	client := playSCP(t, func(_ string, in io.Reader, out io.Writer) uint32 {
		answers := bufio.NewReader(in)
		_, _ = answers.ReadByte()
		_, _ = io.WriteString(out, "D0755 0 src\n")
		for range mostEntries/1000 + 2 {
			if _, err := io.WriteString(out, strings.Repeat("\x01scp: x: not a regular file\n", 1000)); err != nil {
				return 1
			}
		}
		return 0
	})
	if _, err := (&scpDevice{conn: client}).list(t.Context(), "src"); !errors.Is(err, errRecord) {
		t.Errorf("err = %v", err)
	}
}

func TestCtrlCEndsAnScpThatSaysNothing(t *testing.T) {
	client := playSCP(t, func(_ string, in io.Reader, _ io.Writer) uint32 {
		_, _ = io.Copy(io.Discard, in)
		<-t.Context().Done()
		return 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, err := (&scpDevice{conn: client}).stat(ctx, "x")
		asked <- err
	}()
	cancel()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
