package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mbl/internal/atomicfile"
)

// runFile tells scripts how to reach a device while it runs.
type runFile struct {
	SSH  string `json:"ssh"` // host:port
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

func runFilePath(dir string) string { return filepath.Join(dir, "run.json") }

func (r runFile) write(dir string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", runFilePath(dir), err)
	}
	return atomicfile.Write(runFilePath(dir), append(data, '\n'), 0o644)
}

func removeRunFile(dir string) error {
	if err := os.Remove(runFilePath(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the run file: %w", err)
	}
	return nil
}
