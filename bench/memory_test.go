package main

import (
	"testing"

	"mbl/internal/keystore"
	"mbl/internal/keystore/keystoretest"
)

func TestMemoryIsAKeystore(t *testing.T) {
	keystoretest.Run(t, func(*testing.T) func() keystore.Store {
		store := newMemory()
		return func() keystore.Store { return store }
	})
}
