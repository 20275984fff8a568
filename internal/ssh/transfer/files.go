package transfer

import (
	"context"
	"io"
	"io/fs"
)

// entry is one thing in a folder.
type entry struct {
	name   string
	mode   fs.FileMode // type and permissions
	size   int64       // bytes, of regular files
	target string      // of links, as they are written
}

// files is one side of a copy: this machine's files or the device's. Errors
// wrap fs.ErrNotExist, fs.ErrPermission, fs.ErrExist or the sentinels of this
// package where they fit.
type files interface {
	// stat describes what a name leads to; links are followed.
	stat(ctx context.Context, name string) (entry, error)
	// list describes what is in a folder; links are not followed.
	list(ctx context.Context, folder string) ([]entry, error)
	mkdir(ctx context.Context, folder string) error // mode 0700
	chmod(ctx context.Context, name string, mode fs.FileMode) error
	symlink(ctx context.Context, target, name string) error // replaces a link
	rename(ctx context.Context, from, to string) error      // replaces a file
	remove(ctx context.Context, name string) error          // a file or a link
	// sums are the SHA-256 of files in hex; errNoSums if this side cannot tell.
	sums(ctx context.Context, names []string) ([]string, error)

	join(folder, name string) string
	split(name string) (folder, base string) // base is empty for "/", ".", ".." and x/.
}

// device is the far side of a copy.
type device interface {
	files

	// way names the protocol, for people: sftp, shell, scp.
	way() string
	// read writes the file's bytes from an offset on to w.
	read(ctx context.Context, name string, from int64, w io.Writer) error
	io.Closer
}

// appender is a device whose files can be written piece by piece, and renamed.
type appender interface {
	// write makes the file at bytes long, cut off or with a hole at its end,
	// and appends all of r. A new file has the mode.
	write(ctx context.Context, name string, at int64, mode fs.FileMode, r io.Reader) error
}

// wholeWriter is a device where a file can only be written in one go under its
// own name.
type wholeWriter interface {
	// writeWhole writes size bytes of r. The error is a HalfError once the file
	// may have been changed.
	writeWhole(ctx context.Context, name string, mode fs.FileMode, size int64, r io.Reader) error
	// carries is the error if no file of that name can be carried.
	carries(name string) error
}
