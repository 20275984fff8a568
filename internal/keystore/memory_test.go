package keystore_test

import (
	"testing"

	"mbl/internal/keystore"
	"mbl/internal/keystore/keystoretest"
)

func TestMemoryIsAKeystore(t *testing.T) {
	keystoretest.Run(t, func(*testing.T) func() keystore.Store {
		store := keystore.NewMemory()
		return func() keystore.Store { return store }
	})
}

func TestACloneIsAStoreOfItsOwn(t *testing.T) {
	origin := keystore.NewMemory()
	if err := origin.Put("a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	clone := origin.Clone()
	if err := clone.Put("a", []byte("2")); err != nil {
		t.Fatal(err)
	}
	if data, err := origin.Get("a"); err != nil || string(data) != "1" {
		t.Errorf("the origin has %q, %v", data, err)
	}
}
