// Package devicetree is a virtual device's file system: one folder of the
// host, seen as "/". Nothing outside that folder can be reached through it,
// whatever the path says and wherever a symbolic link points; os.Root sees to
// that. It knows nothing of shells and connections; the sandbox's shell and
// SFTP server read and write through it.
package devicetree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// nullDevice is the one path that is answered by the host: it holds nothing.
const nullDevice = "/dev/null"

// Tree is a folder of the host seen as a whole file system. Its methods take
// absolute paths of the device; errors name those too, never the host's.
type Tree struct {
	root *os.Root
}

// Open makes the folder dir of the host, if need be, and opens it as a tree.
// Whoever opens a tree closes it.
func Open(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the device's folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the device's folder: %w", err)
	}
	return &Tree{root: root}, nil
}

// Close gives the folder back. Files that are open stay usable.
func (t *Tree) Close() error { return t.root.Close() }

// HostPath is the folder of the host that is "/" here.
func (t *Tree) HostPath() string { return t.root.Name() }

// OpenFile opens the named file as os.OpenFile does.
func (t *Tree) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if clean(name) == nullDevice {
		return os.OpenFile(os.DevNull, flag&^(os.O_TRUNC|os.O_CREATE|os.O_EXCL), 0)
	}
	f, err := t.root.OpenFile(inside(name), flag, perm.Perm())
	return f, asSeen(err)
}

// ReadFile reads the whole named file.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	data, err := t.root.ReadFile(inside(name))
	return data, asSeen(err)
}

// WriteFile writes the named file; perm is set whatever the umask.
func (t *Tree) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if err := t.root.WriteFile(inside(name), data, perm.Perm()); err != nil {
		return asSeen(err)
	}
	return t.Chmod(name, perm)
}

// Stat describes the named file, following symbolic links.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	if clean(name) == nullDevice {
		return os.Stat(os.DevNull)
	}
	info, err := t.root.Stat(inside(name))
	return info, asSeen(err)
}

// Lstat describes the named file itself, be it a symbolic link.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) {
	if clean(name) == nullDevice {
		return os.Lstat(os.DevNull)
	}
	info, err := t.root.Lstat(inside(name))
	return info, asSeen(err)
}

// ReadDir lists the named folder, sorted by name.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	dir, err := t.root.Open(inside(name))
	if err != nil {
		return nil, asSeen(err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, asSeen(err)
}

// Mkdir makes one folder; perm is set whatever the umask of this process.
func (t *Tree) Mkdir(name string, perm fs.FileMode) error {
	if err := t.root.Mkdir(inside(name), perm.Perm()); err != nil {
		return asSeen(err)
	}
	return t.Chmod(name, perm)
}

// MkdirAll makes the named folder and those above it.
func (t *Tree) MkdirAll(name string, perm fs.FileMode) error {
	return asSeen(t.root.MkdirAll(inside(name), perm.Perm()))
}

// Remove removes a file or an empty folder.
func (t *Tree) Remove(name string) error { return asSeen(t.root.Remove(inside(name))) }

// RemoveAll removes a file or a folder with everything in it. The device's
// "/" itself stays.
func (t *Tree) RemoveAll(name string) error {
	if clean(name) == "/" {
		return &fs.PathError{Op: "remove", Path: "/", Err: fs.ErrPermission}
	}
	return asSeen(t.root.RemoveAll(inside(name)))
}

// Rename moves a file or folder, replacing a file that is in the way.
func (t *Tree) Rename(from, to string) error {
	return asSeen(t.root.Rename(inside(from), inside(to)))
}

// Chmod sets the permission bits of the named file.
func (t *Tree) Chmod(name string, perm fs.FileMode) error {
	return asSeen(t.root.Chmod(inside(name), perm.Perm()))
}

// Chtimes sets the times of the named file.
func (t *Tree) Chtimes(name string, accessed, modified time.Time) error {
	return asSeen(t.root.Chtimes(inside(name), accessed, modified))
}

// Readlink tells where a symbolic link says it points.
func (t *Tree) Readlink(name string) (string, error) {
	target, err := t.root.Readlink(inside(name))
	return target, asSeen(err)
}

// clean is the device's absolute path for name; ".." stops at "/".
func clean(name string) string { return path.Clean("/" + name) }

// inside is name as os.Root wants it: relative, "." for the top.
func inside(name string) string {
	cleaned := clean(name)
	if cleaned == "/" {
		return "."
	}
	return cleaned[1:]
}

// asSeen makes an error of os.Root name the device's path.
func asSeen(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return &fs.PathError{Op: strings.TrimSuffix(pathErr.Op, "at"), Path: clean(pathErr.Path), Err: pathErr.Err}
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return &os.LinkError{Op: strings.TrimSuffix(linkErr.Op, "at"), Old: clean(linkErr.Old), New: clean(linkErr.New), Err: linkErr.Err}
	}
	return err
}
