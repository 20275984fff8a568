package credstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
	if err := checkRegular(path, os.Stat); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, readOnly, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRegular(f, path, limit)
}

// readInside is readFile below a root; a link is not followed out of it.
func readInside(root *os.Root, name string, limit int64) ([]byte, error) {
	if err := checkRegular(name, root.Stat); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, readOnly, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRegular(f, filepath.Join(root.Name(), name), limit)
}

// checkRegular keeps a device from being opened: that alone may do something.
func checkRegular(path string, stat func(string) (fs.FileInfo, error)) error {
	info, err := stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return damaged(path, "it is not a regular file")
	}
	return err
}

// readOnly opens without waiting: a pipe in place of a file would block.
const readOnly = os.O_RDONLY | syscall.O_NONBLOCK

func readRegular(f *os.File, path string, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, damaged(path, "it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, damaged(path, "it is larger than %d bytes", limit)
	}
	return data, nil
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
