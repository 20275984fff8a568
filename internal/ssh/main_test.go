package ssh_test

import (
	"os"
	"testing"

	"mbl/internal/program/programtest"
)

func TestMain(m *testing.M) {
	programtest.DefaultSignals()
	os.Exit(m.Run())
}
