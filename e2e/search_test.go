package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// filesWith lists the files at or below root that hold the text. Files that
// vanish meanwhile hold nothing.
func filesWith(root, text string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	return found, err
}
