package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// local is this machine's side of a copy.
type local struct{}

var _ files = local{}

func (local) stat(_ context.Context, name string) (entry, error) {
	info, err := os.Stat(name)
	if err != nil {
		return entry{}, translated(err)
	}
	return entry{name: info.Name(), mode: info.Mode(), size: info.Size()}, nil
}

func (l local) list(_ context.Context, folder string) ([]entry, error) {
	found, err := os.ReadDir(folder)
	if err != nil {
		return nil, translated(err)
	}
	entries := make([]entry, 0, len(found))
	for _, one := range found {
		info, err := one.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, translated(err)
		}
		e := entry{name: one.Name(), mode: info.Mode(), size: info.Size()}
		if e.mode&fs.ModeSymlink != 0 {
			if e.target, err = os.Readlink(l.join(folder, e.name)); err != nil {
				return nil, translated(err)
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (local) mkdir(_ context.Context, folder string) error {
	return translated(os.Mkdir(folder, 0o700))
}

func (local) chmod(_ context.Context, name string, mode fs.FileMode) error {
	return translated(os.Chmod(name, mode))
}

func (local) symlink(_ context.Context, target, name string) error {
	if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(name); err != nil {
			return translated(err)
		}
	}
	return translated(os.Symlink(target, name))
}

func (local) rename(_ context.Context, from, to string) error {
	return translated(os.Rename(from, to))
}

func (local) remove(_ context.Context, name string) error { return translated(os.Remove(name)) }

func (local) sums(ctx context.Context, names []string) ([]string, error) {
	sums := make([]string, 0, len(names))
	for _, name := range names {
		sum, err := localSum(ctx, name)
		if err != nil {
			return nil, translated(err)
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

func localSum(ctx context.Context, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, stoppable(ctx, f), make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func (local) join(folder, name string) string {
	if name == "" {
		return folder
	}
	return filepath.Join(folder, name)
}

func (local) split(name string) (folder, base string) {
	own := !strings.HasSuffix(filepath.ToSlash(name), "/.")
	name = filepath.Clean(name)
	base = filepath.Base(name)
	if !own || base == "." || base == ".." || base == string(filepath.Separator) {
		return name, ""
	}
	return filepath.Dir(name), base
}
