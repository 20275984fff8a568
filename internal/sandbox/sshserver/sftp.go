package sshserver

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/pkg/sftp"

	"mbl/internal/sandbox/devicetree"
)

// files answers SFTP requests from a device's tree.
type files struct{ tree *devicetree.Tree }

func fileHandlers(tree *devicetree.Tree) sftp.Handlers {
	all := files{tree}
	return sftp.Handlers{FileGet: all, FilePut: all, FileCmd: all, FileList: all}
}

var (
	_ sftp.OpenFileWriter       = files{}
	_ sftp.PosixRenameFileCmder = files{}
	_ sftp.LstatFileLister      = files{}
	_ sftp.ReadlinkFileLister   = files{}
)

// Fileread implements sftp.FileReader.
func (f files) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	return f.tree.OpenFile(r.Filepath, os.O_RDONLY, 0)
}

// Filewrite implements sftp.FileWriter.
func (f files) Filewrite(r *sftp.Request) (io.WriterAt, error) { return f.OpenFile(r) }

// OpenFile implements sftp.OpenFileWriter.
func (f files) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	perm := fs.FileMode(0o644)
	if r.AttrFlags().Permissions {
		perm = r.Attributes().FileMode().Perm()
	}
	return f.tree.OpenFile(r.Filepath, openFlags(r.Pflags()), perm)
}

func openFlags(asked sftp.FileOpenFlags) int {
	flags := os.O_RDONLY
	if asked.Write || asked.Append {
		flags = os.O_RDWR // O_APPEND would contradict the offsets of the writes
	}
	if asked.Creat {
		flags |= os.O_CREATE
	}
	if asked.Trunc {
		flags |= os.O_TRUNC
	}
	if asked.Excl {
		flags |= os.O_EXCL
	}
	return flags
}

// Filecmd implements sftp.FileCmder. Links are refused: one that points
// outside the tree would only be a trap for the tree's owner.
func (f files) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		return f.setstat(r)
	case "Rename":
		if _, err := f.tree.Lstat(r.Target); !errors.Is(err, fs.ErrNotExist) {
			return sftp.ErrSSHFxFailure
		}
		return f.tree.Rename(r.Filepath, r.Target)
	case "Mkdir":
		return f.tree.Mkdir(r.Filepath, 0o755)
	case "Rmdir", "Remove":
		return f.remove(r)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename implements sftp.PosixRenameFileCmder: the target is replaced.
func (f files) PosixRename(r *sftp.Request) error { return f.tree.Rename(r.Filepath, r.Target) }

func (f files) remove(r *sftp.Request) error {
	info, err := f.tree.Lstat(r.Filepath)
	if err != nil {
		return err
	}
	if info.IsDir() != (r.Method == "Rmdir") {
		return sftp.ErrSSHFxFailure
	}
	return f.tree.Remove(r.Filepath)
}

func (f files) setstat(r *sftp.Request) error {
	asked, values := r.AttrFlags(), r.Attributes()
	if asked.Size {
		if err := f.truncate(r.Filepath, int64(values.Size)); err != nil {
			return err
		}
	}
	if asked.Permissions {
		if err := f.tree.Chmod(r.Filepath, values.FileMode()); err != nil {
			return err
		}
	}
	if asked.Acmodtime {
		return f.tree.Chtimes(r.Filepath, time.Unix(int64(values.Atime), 0), time.Unix(int64(values.Mtime), 0))
	}
	return nil
}

func (f files) truncate(name string, size int64) error {
	file, err := f.tree.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Close())
}

// Filelist implements sftp.FileLister.
func (f files) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		return f.list(r.Filepath)
	}
	info, err := f.tree.Stat(r.Filepath)
	return fileInfos{info}, err
}

// Lstat implements sftp.LstatFileLister.
func (f files) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := f.tree.Lstat(r.Filepath)
	return fileInfos{info}, err
}

// Readlink implements sftp.ReadlinkFileLister.
func (f files) Readlink(name string) (string, error) { return f.tree.Readlink(name) }

func (f files) list(name string) (sftp.ListerAt, error) {
	entries, err := f.tree.ReadDir(name)
	if err != nil {
		return nil, err
	}
	infos := make(fileInfos, 0, len(entries))
	for _, entry := range entries {
		info, err := f.tree.Lstat(path.Join(name, entry.Name()))
		if err == nil { // else it was removed since
			infos = append(infos, info)
		}
	}
	return infos, nil
}

type fileInfos []fs.FileInfo

// ListAt implements sftp.ListerAt.
func (l fileInfos) ListAt(into []fs.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(into, l[offset:])
	if n < len(into) {
		return n, io.EOF
	}
	return n, nil
}
