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
	"os"
	"time"
)

// Describe makes an entry for the file at path, to be kept under name. The
// file must not change before it is written.
func Describe(name, path string) (File, error) {
	source, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer source.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, source)
	if err != nil {
		return File{}, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return File{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)), path: path}, nil
}

// Write writes a backup of the files that Describe has described.
func Write(to io.Writer, program string, madeAt time.Time, files []File) error {
	index, err := json.MarshalIndent(Index{Format: format, Program: program, MadeAt: madeAt.UTC(), Files: files}, "", "  ")
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(to)
	archive := tar.NewWriter(packed)
	if err := archive.WriteHeader(header(indexName, int64(len(index)), madeAt)); err != nil {
		return err
	}
	if _, err := archive.Write(index); err != nil {
		return err
	}
	for _, file := range files {
		if err := file.writeTo(archive, madeAt); err != nil {
			return fmt.Errorf("cannot back up %s: %w", file.Name, err)
		}
	}
	return errors.Join(archive.Close(), packed.Close())
}

func (f File) writeTo(archive *tar.Writer, madeAt time.Time) error {
	source, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := archive.WriteHeader(header(f.Name, f.Size, madeAt)); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(archive, sum), source, f.Size); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return errors.New("it changed meanwhile; try again")
	}
	return nil
}

func header(name string, size int64, madeAt time.Time) *tar.Header {
	return &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: madeAt.Truncate(time.Second), Format: tar.FormatPAX,
	}
}
