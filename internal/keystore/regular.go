package keystore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"mbl/internal/regularfile"
)

// readRegular reads a file of at most limit bytes. Whatever is not a plain
// file (a link, a folder, a pipe) or is larger is ErrDamaged: nobody who may
// write here honestly puts such things.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, regularfile.OpenFlags|regularfile.NoFollow, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: %w", path, ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %w", path, ErrDamaged)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes: %w", path, limit, ErrDamaged)
	}
	return data, nil
}
