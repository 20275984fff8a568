package sandbox

import (
	"os"
	"time"
)

// removeFolder removes a folder with everything in it.
func removeFolder(dir string) error {
	return insist(func() error { return os.RemoveAll(dir) })
}

// insist removes, and again if that fails: where a virtual device was killed,
// its program ends a moment later, and what it writes until then fills a folder
// that was just emptied.
func insist(remove func() error) error {
	for deadline := time.Now().Add(stopTime); ; {
		err := remove()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
