package cloudapp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/backup"
	"mbl/internal/buildinfo"
	"mbl/internal/cloud/store"
)

const backupLong = `Writes everything the service keeps into one file, also while it serves: what was
answered before is in it. Private keys stay sealed, but the key that opens them is
in the file too: keep it where nobody else can read it. "restore" puts it back.`

func newBackupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything the service keeps into one file",
		Long:  backupLong,
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, arguments []string) error { return a.backup(cmd.Context(), arguments[0]) },
	}
}

// backup writes a backup beside its place and moves it there when it is whole.
func (a *app) backup(ctx context.Context, file string) (err error) {
	data, err := usedFolder(a.data)
	if err != nil {
		return err
	}
	if err := checkBackupPlace(data, file); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(file), ".mbl-cloud-backup-") // mode 0700
	if err != nil {
		return failure("cannot write the backup %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	files, err := data.backupFiles(ctx, filepath.Join(scratch, "database"))
	if err != nil {
		return failure("cannot back up %s: %w", data.path, err)
	}
	made := filepath.Join(scratch, "backup")
	if err := writeBackup(made, files); err != nil {
		return failure("cannot write the backup %s: %w", file, err)
	}
	if err := errors.Join(os.Rename(made, file), syncFolder(filepath.Dir(file))); err != nil {
		return failure("cannot write the backup %s: %w", file, err)
	}
	return nil
}

// checkBackupPlace keeps a backup from replacing what is none, or from
// becoming part of the next one.
func checkBackupPlace(data folder, file string) error {
	if info, err := os.Lstat(file); err == nil && !info.Mode().IsRegular() {
		return failure("%s is there already, and no file that a backup could replace", file)
	}
	inside, err := isInside(file, data.path)
	if err != nil {
		return failure("cannot write the backup %s: %w", file, err)
	}
	if inside {
		return failure("%s is in the data folder itself", file).WithHint("a backup belongs on another disk, or at least in another folder")
	}
	return nil
}

func isInside(file, dir string) (bool, error) {
	parent, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return false, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return false, err
	}
	if parent, err = filepath.Abs(parent); err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	relative, err := filepath.Rel(dir, parent)
	return err == nil && filepath.IsLocal(relative), nil
}

// backupFiles describes what belongs into a backup, with a copy of the
// database made at copied. Links are followed, for the folder itself too:
// systemd makes /var/lib/mbl-cloud one, and the seal key may lie elsewhere.
func (f folder) backupFiles(ctx context.Context, copied string) ([]backup.File, error) {
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return nil, err
	}
	f.path = path
	if !exists(f.sealKey()) {
		return nil, fmt.Errorf("the seal key %s is missing, without which a backup is worth nothing", f.sealKey())
	}
	if err := store.CopySQLite(ctx, f.database(), copied); err != nil {
		return nil, err
	}
	database, err := backup.Describe(filepath.Base(f.database()), copied)
	if err != nil {
		return nil, err
	}
	files := []backup.File{database}
	err = filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!isFile(path, entry) || f.isPassing(path)) {
			return nil
		}
		if err != nil {
			return err
		}
		files, err = f.describeNext(files, path)
		return err
	})
	return files, err
}

// isFile tells whether a regular file is there, or a link to one.
func isFile(path string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// describeNext adds a file of the folder to others. One that is gone by now,
// like those that hold certificates until they are renamed, is not missed.
func (f folder) describeNext(files []backup.File, path string) ([]backup.File, error) {
	name, err := filepath.Rel(f.path, path)
	if err != nil {
		return nil, err
	}
	file, err := backup.Describe(filepath.ToSlash(name), path)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	return append(files, file), nil
}

// isPassing tells files that belong to a running service, or to the database,
// from those to be kept.
func (f folder) isPassing(path string) bool {
	database := f.database()
	return slices.Contains([]string{database, database + "-wal", database + "-shm", database + "-journal", f.run(), f.lock(), f.sessions()}, path) ||
		strings.HasPrefix(filepath.Base(path), ".")
}

func writeBackup(path string, files []backup.File) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = backup.Write(to, buildinfo.Version(), time.Now(), files)
	return errors.Join(err, to.Sync(), to.Close())
}

// syncFolder makes the names in a folder last over a power loss.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
