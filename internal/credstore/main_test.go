package credstore_test

import (
	"fmt"
	"os"
	"testing"
)

const (
	envChild = "CREDSTORE_TEST_CHILD"
	envHome  = "CREDSTORE_TEST_HOME"
)

// TestMain lets the test binary be the second process of a test.
func TestMain(m *testing.M) {
	name := os.Getenv(envChild)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := childSavesMany(os.Getenv(envHome), name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
