package backup

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Extract puts the files of a backup into root, readable for their owner
// only, and makes sure of each. It returns ErrDamaged unless the backup is
// whole, and ErrNewer for one of a later form; then part of the files may be
// there.
func Extract(from io.Reader, root *os.Root) (Index, error) {
	packed, err := gzip.NewReader(from)
	if err != nil {
		return Index{}, damaged(err)
	}
	defer packed.Close()
	archive := tar.NewReader(packed)
	index, err := readIndex(archive)
	if err != nil {
		return index, err
	}
	for _, file := range index.Files {
		if err := file.extract(archive, root); err != nil {
			return index, err
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return index, damaged(errors.Join(errors.New("it holds more than its index says"), err))
	}
	if _, err := io.Copy(io.Discard, packed); err != nil { // the checksum stands at the end
		return index, damaged(err)
	}
	return index, nil
}

func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

func readIndex(archive *tar.Reader) (index Index, err error) {
	entry, err := archive.Next()
	if err != nil {
		return index, damaged(err)
	}
	if entry.Name != indexName || entry.Size > maxIndex {
		return index, damaged(errors.New("it does not begin with " + indexName))
	}
	if err := json.NewDecoder(archive).Decode(&index); err != nil {
		return index, damaged(err)
	}
	if index.Format > format {
		return index, ErrNewer
	}
	for _, file := range index.Files {
		if !filepath.IsLocal(filepath.FromSlash(file.Name)) || path.Clean(file.Name) != file.Name || file.Name == "." {
			return index, damaged(fmt.Errorf("%q is no name of a file in it", file.Name))
		}
	}
	return index, nil
}

// extract reads the next entry, which must be this file.
func (f File) extract(archive *tar.Reader, root *os.Root) error {
	entry, err := archive.Next()
	if err != nil {
		return damaged(err)
	}
	if entry.Name != f.Name || entry.Typeflag != tar.TypeReg || entry.Size != f.Size {
		return damaged(fmt.Errorf("%q stands where %q should", entry.Name, f.Name))
	}
	if dir := path.Dir(f.Name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	sum := sha256.New()
	if err := writeNew(root, f.Name, io.TeeReader(archive, sum)); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return damaged(fmt.Errorf("%q was changed", f.Name))
	}
	return nil
}

// writeNew writes a file that is not there yet, and to the disk.
func writeNew(root *os.Root, name string, content io.Reader) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return damaged(fmt.Errorf("%q is in it twice", name))
	}
	if err != nil {
		return err
	}
	read := &reading{source: content}
	_, err = io.Copy(file, read)
	if read.failed != nil {
		err = damaged(read.failed)
	}
	return errors.Join(err, file.Sync(), file.Close())
}

// reading tells a source that fails from a destination that does.
type reading struct {
	source io.Reader
	failed error
}

func (r *reading) Read(buffer []byte) (int, error) {
	n, err := r.source.Read(buffer)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}
