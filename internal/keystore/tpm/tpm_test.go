package tpm_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"mbl/internal/keystore/tpm"
	"mbl/internal/keystore/tpmtest"
)

func TestASecretOpensWithItsTPMOnly(t *testing.T) {
	first, second := tpmtest.Start(t), tpmtest.Start(t)
	secret := []byte("thirty-two bytes of a secret key")
	sealed, err := tpm.Seal(first, secret)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret) || tpm.Path(sealed) != first {
		t.Errorf("sealed as %s", sealed)
	}
	for range 5 { // more than a TPM has places for keys
		opened, err := tpm.Open(first, sealed)
		if err != nil || !bytes.Equal(opened, secret) {
			t.Fatalf("opened %q, %v", opened, err)
		}
	}
	if _, err := tpm.Open(second, sealed); !errors.Is(err, tpm.ErrForeign) {
		t.Errorf("with another TPM: %v", err)
	}
	damaged := bytes.Replace(sealed, []byte(`"private":"A`), []byte(`"private":"B`), 1)
	if _, err := tpm.Open(first, damaged); !errors.Is(err, tpm.ErrForeign) {
		t.Errorf("damaged: %v", err)
	}
}

// Somebody may have made the storage root key persistent, as the TCG advises.
func TestThePersistentRootKeyIsUsed(t *testing.T) {
	socket := tpmtest.Start(t)
	before, err := tpm.Seal(socket, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	makeRootPersistent(t, socket)
	after, err := tpm.Seal(socket, []byte("after"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(after, []byte(`"persistent":true`)) || bytes.Contains(before, []byte(`"persistent":true`)) {
		t.Errorf("sealed as %s and %s", before, after)
	}
	for want, sealed := range map[string][]byte{"before": before, "after": after} {
		if got, err := tpm.Open(socket, sealed); err != nil || string(got) != want {
			t.Errorf("opened %q, %v, want %q", got, err, want)
		}
	}
}

func makeRootPersistent(t *testing.T, socket string) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	chip := transport.FromReadWriteCloser(conn)
	defer chip.Close()
	root, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(chip)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.TPMRHOwner,
		ObjectHandle:     &tpm2.NamedHandle{Handle: root.ObjectHandle, Name: root.Name},
		PersistentHandle: 0x81000001,
	}.Execute(chip)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: root.ObjectHandle}).Execute(chip); err != nil {
		t.Fatal(err)
	}
}

func TestATPMThatIsNotThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := tpmtest.Start(t)
	tpmtest.Stop(t, gone)
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), file, gone} {
		if _, err := tpm.Seal(path, []byte("x")); !errors.Is(err, tpm.ErrUnavailable) {
			t.Errorf("%s: %v", path, err)
		}
		if tpm.IsThere(path) {
			t.Errorf("%s is taken for a TPM", path)
		}
	}
}

func FuzzSealed(f *testing.F) {
	f.Add([]byte(`{"version":1,"tpm":"/dev/tpmrm0","persistent":false,"public":"AAA=","private":"AAA="}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if _, err := tpm.Open(filepath.Join(os.DevNull, "none"), sealed); err == nil {
			t.Error("opened without a TPM")
		}
	})
}
