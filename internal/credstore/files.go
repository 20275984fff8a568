package credstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mbl/internal/regularfile"
)

const (
	userFolderMode fs.FileMode = 0o700
	teamFolderMode fs.FileMode = 0o760
	secretMode     fs.FileMode = 0o600
)

// makeFolder makes a store folder with exactly this mode, whatever the umask.
// A folder that exists is left as it is.
func makeFolder(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(path, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	data, err := regularfile.Read(path, limit)
	return data, unusual(path, limit, err)
}

// readInside is readFile below a root; a link is not followed out of it.
func readInside(root *os.Root, name string, limit int64) ([]byte, error) {
	path := filepath.Join(root.Name(), name)
	info, err := root.Stat(name)
	if err != nil {
		return nil, unusual(path, limit, err)
	}
	// To open a device may do something already.
	if !info.Mode().IsRegular() {
		return nil, unusual(path, limit, regularfile.ErrNotRegular)
	}
	f, err := root.OpenFile(name, regularfile.OpenFlags, 0)
	if err != nil {
		return nil, unusual(path, limit, err)
	}
	defer f.Close()
	data, err := regularfile.ReadOpen(f, path, limit)
	return data, unusual(path, limit, err)
}

// unusual says of a file that cannot be what it should be that it is damaged;
// other errors, also that there is no such file, are passed on.
func unusual(path string, limit int64, err error) error {
	switch {
	case errors.Is(err, regularfile.ErrNotRegular):
		return damaged(path, "it is not a regular file")
	case errors.Is(err, regularfile.ErrTooLarge):
		return damaged(path, "it is larger than %d bytes", limit)
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return err
	case isLinkAstray(err):
		return damaged(path, "it is a link that leads out of the store, or in a circle")
	default:
		return err
	}
}

// isLinkAstray: the error of package os for a link out of a root has no name.
func isLinkAstray(err error) bool {
	return errors.Is(err, syscall.ELOOP) || strings.Contains(err.Error(), "path escapes from parent")
}

// writeNew writes a file that must not exist yet, with exactly this mode.
func writeNew(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}
