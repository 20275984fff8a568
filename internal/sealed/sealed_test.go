package sealed_test

import (
	"bytes"
	"errors"
	"testing"

	"mbl/internal/sealed"
)

func TestABoxOpensOnlyWithItsKeyAndLabelUnchanged(t *testing.T) {
	key, err := sealed.NewKey(sealed.Generate())
	if err != nil {
		t.Fatal(err)
	}
	other, err := sealed.NewKey(sealed.Generate())
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("a private key")
	box := key.Seal(plain, "item")
	if bytes.Contains(box, plain) {
		t.Fatal("the box shows what is in it")
	}
	got, err := key.Open(box, "item")
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if _, err := key.Open(box, "another item"); !errors.Is(err, sealed.ErrOpen) {
		t.Errorf("another label: %v", err)
	}
	if _, err := other.Open(box, "item"); !errors.Is(err, sealed.ErrOpen) {
		t.Errorf("another key: %v", err)
	}
	for i := range box {
		changed := bytes.Clone(box)
		changed[i] ^= 1
		if _, err := key.Open(changed, "item"); !errors.Is(err, sealed.ErrOpen) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for n := range box {
		if _, err := key.Open(box[:n], "item"); !errors.Is(err, sealed.ErrOpen) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
