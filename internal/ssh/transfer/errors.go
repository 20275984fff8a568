package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Why a copy failed. Errors of this package wrap one of these, an error of
// package ssh, or ctx's.
var (
	ErrFolder     = errors.New("is a folder")
	ErrNoSource   = errors.New("does not exist")
	ErrNoFolder   = errors.New("the folder it would go into does not exist")
	ErrInTheWay   = errors.New("something else already has that name")
	ErrLoop       = errors.New("is a link that leads in a circle")
	ErrNotRegular = errors.New("is neither a file nor a folder")
	ErrDenied     = errors.New("permission denied")
	ErrReadOnly   = errors.New("the file system is mounted read-only")
	ErrNoSpace    = errors.New("no space left")
	ErrDiffers    = errors.New("the copy differs from its source")
	ErrChanged    = errors.New("the file changed while it was copied")
	ErrLineEnd    = errors.New("the device has only scp, which cannot carry a name with a line end")
	ErrNameLong   = errors.New("the name is too long for the file system")
	ErrDisk       = errors.New("the disk cannot read or write it")
	ErrCommand    = errors.New("a command on the device failed")
	ErrAnswer     = errors.New("the device describes its files in a way that cannot be understood")
	ErrTooMuch    = errors.New("the device sends more than 64 MiB where a list of files was expected")
	ErrTooDeep    = errors.New("there are more than 200 folders one in another")
	ErrName       = errors.New("the device names a file in a way that cannot be kept here")
)

// errNoSums: there is no way to compute a checksum on that side.
var errNoSums = errors.New("no SHA-256 checksums there")

// errNoLinks: links cannot be made on that side.
var errNoLinks = errors.New("no links there")

// HalfError is a copy that broke off while a file was written under its own
// name, because the device has no way to write it under another first.
type HalfError struct {
	Name string // on the device; it may be half-written
	Err  error
}

func (e *HalfError) Error() string { return e.Err.Error() }

func (e *HalfError) Unwrap() error { return e.Err }

// PartError is a copy that broke off in the middle of a file and left what it
// had; the same copy takes it up again.
type PartError struct {
	Part string // its path, on the side it was copied to
	Err  error
}

func (e *PartError) Error() string { return e.Err.Error() }

func (e *PartError) Unwrap() error { return e.Err }

// FileError says which file a copy failed for, and on which side.
type FileError struct {
	OnDevice bool
	Name     string
	Err      error
}

func (e *FileError) Error() string {
	if e.OnDevice {
		return fmt.Sprintf("%q on the device: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("%q: %v", e.Name, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// reason is a failure under this package's name for it; the cause is for
// those who want to know more.
type reason struct{ name, cause error }

func (r *reason) Error() string { return r.name.Error() }

func (r *reason) Unwrap() []error { return []error{r.name, r.cause} }

// translated gives the errors of the operating system this package's names.
func translated(err error) error {
	for _, known := range []struct{ is, name error }{
		{syscall.ENOSPC, ErrNoSpace},
		{syscall.EDQUOT, ErrNoSpace},
		{syscall.EROFS, ErrReadOnly},
		{syscall.ENAMETOOLONG, ErrNameLong},
		{syscall.EIO, ErrDisk},
		{syscall.ELOOP, ErrLoop},
		{syscall.EISDIR, ErrInTheWay},
		{syscall.ENOTDIR, ErrNoFolder},
		{fs.ErrPermission, ErrDenied},
	} {
		if errors.Is(err, known.is) {
			return &reason{known.name, err}
		}
	}
	return err
}
