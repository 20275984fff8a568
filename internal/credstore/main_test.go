package credstore_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

const (
	envChild = "CREDSTORE_TEST_CHILD"
	envHome  = "CREDSTORE_TEST_HOME"
)

// TestMain lets the test binary be another process of a test.
func TestMain(m *testing.M) {
	role := os.Getenv(envChild)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := playRole(role, os.Getenv(envHome)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func playRole(role, home string) error {
	if role == "reads only" {
		return childReadsOnly(home)
	}
	return childSavesAndDeletes(home, role)
}

// child is another process that plays a role with the stores in home.
func child(t *testing.T, role, home string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+role, envHome+"="+home)
	return cmd
}
