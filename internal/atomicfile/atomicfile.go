// Package atomicfile writes files that are either whole or as they were.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path by data. A reader sees the old content or
// the new, never a part, and after a power loss too. perm is set exactly,
// whatever the umask. On failure nothing is left behind.
func Write(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, func(*os.File) error { return nil })
}

// WriteForFolder is Write into a folder that may be somebody else's: what root
// writes there belongs to the folder's owner.
func WriteForFolder(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, func(f *os.File) error { return GiveToOwnerOf(filepath.Dir(path), f) })
}

func write(path string, data []byte, perm fs.FileMode, give func(*os.File) error) (err error) {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, withoutPath(err))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write %s: %w", path, errors.Join(err, os.Remove(temp.Name())))
		}
	}()
	if err := errors.Join(withoutPath(fill(temp, data, perm)), give(temp)); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return withoutPath(err)
	}
	return syncDir(dir)
}

// withoutPath is what went wrong, without the name of the temporary file, which
// nobody knows.
func withoutPath(err error) error {
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &file):
		return file.Err
	case errors.As(err, &link):
		return link.Err
	default:
		return err
	}
}

func fill(f *os.File, data []byte, perm fs.FileMode) error {
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return ignoreUnsupported(d.Sync())
}
