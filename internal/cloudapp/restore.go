package cloudapp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mbl/internal/atomicfile"
	"mbl/internal/backup"
	"mbl/internal/cloud/store"
	"mbl/internal/sealed"
)

func newRestoreCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup back into an empty data folder",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, arguments []string) error { return a.restore(cmd.Context(), arguments[0]) },
	}
}

// restore fills an empty folder. If anything goes wrong the folder is as it
// was before; a mark in it tells of a restore that was killed.
func (a *app) restore(ctx context.Context, file string) (err error) {
	source, err := os.Open(file)
	if err != nil {
		return failure("cannot read the backup: %w", err)
	}
	defer source.Close()
	data := folder{path: a.data}
	if err := data.check(); err != nil {
		return err
	}
	undo, err := data.makeEmpty()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	if err := data.fill(ctx, source); err != nil {
		return explainRestore(file, err)
	}
	if err := os.Remove(data.restoring()); err != nil {
		return failure("cannot finish the restore: %w", err)
	}
	if err := syncFolder(data.path); err != nil {
		return failure("cannot finish the restore: %w", err)
	}
	_, err = fmt.Fprintf(a.sys.Err, "restored %s; `mbl-cloud serve --data %s` serves it\n", data.path, data.path)
	return err
}

// makeEmpty makes the folder, or takes one with nothing in it, and marks it;
// undo empties it again.
func (f folder) makeEmpty() (undo func() error, err error) {
	before, err := os.ReadDir(f.path)
	made := errors.Is(err, fs.ErrNotExist)
	switch {
	case made:
		err = os.MkdirAll(f.path, 0o700)
	case err == nil && len(before) > 0:
		return nil, failure("%s is not empty", f.path).WithHint("--data names an empty or a new folder to restore into")
	case err == nil:
		err = os.Chmod(f.path, 0o700)
	}
	if err == nil {
		err = os.WriteFile(f.restoring(), nil, 0o600)
	}
	if err != nil {
		return nil, failure("cannot restore into %s: %w", f.path, err)
	}
	return func() error { return f.empty(made) }, nil
}

func (f folder) empty(whole bool) error {
	if whole {
		return os.RemoveAll(f.path)
	}
	entries, err := os.ReadDir(f.path)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(f.path, entry.Name())))
	}
	return err
}

func (f folder) fill(ctx context.Context, source *os.File) error {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := backup.Extract(source, root); err != nil {
		return err
	}
	raw, err := root.ReadFile(filepath.Base(f.sealKey()))
	if err != nil || len(raw) != sealed.KeySize || !exists(f.database()) {
		return fmt.Errorf("%w: it is no backup of mbl-cloud", backup.ErrDamaged)
	}
	if err := store.CheckSQLite(ctx, f.database()); err != nil {
		return err
	}
	return f.giveToOwner(root)
}

// giveToOwner gives what root restored to the folder's owner: the service's
// user, where systemd or a package made the folder.
func (f folder) giveToOwner(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(atomicfile.GiveToOwnerOf(f.path, file), file.Close())
	})
}

func explainRestore(file string, err error) error {
	switch {
	case errors.Is(err, backup.ErrNewer), errors.Is(err, store.ErrNewer):
		return failure("%s was made by a newer mbl-cloud; nothing was restored", file).
			Because(err).WithHint("restore it with the version that made it, or a later one")
	case errors.Is(err, backup.ErrDamaged):
		return failure("%s is %w; nothing was restored", file, err).WithHint("take an earlier backup, or copy this one again")
	default:
		return failure("cannot restore %s: %w", file, err)
	}
}
