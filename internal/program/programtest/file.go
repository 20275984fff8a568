package programtest

import (
	"os"
	"testing"
	"time"
)

// patience is for machines that have much else to do.
const patience = time.Minute

// AwaitFile waits until another process has made the file, and fails the test
// if it never does.
func AwaitFile(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", path)
		}
	}
}
