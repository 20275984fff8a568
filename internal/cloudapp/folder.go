package cloudapp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mbl/internal/atomicfile"
	"mbl/internal/cloud/store"
	"mbl/internal/filelock"
	"mbl/internal/sealed"
	"mbl/internal/usererr"
)

// folder is the data folder. Everything in it is for the service's user only.
type folder struct{ path string }

func (f folder) database() string { return filepath.Join(f.path, "mbl-cloud.db") }
func (f folder) sealKey() string  { return filepath.Join(f.path, "seal.key") }
func (f folder) hosts() string    { return filepath.Join(f.path, "hosts") }
func (f folder) run() string      { return filepath.Join(f.path, "run.json") }
func (f folder) lock() string     { return filepath.Join(f.path, "serve.lock") }
func (f folder) sessions() string { return filepath.Join(f.path, "sessions") }
func (f folder) httpsCA() string  { return filepath.Join(f.path, "https-ca.pem") }
func (f folder) acme() string     { return filepath.Join(f.path, "acme") }

// restoring is there while a restore has not ended.
func (f folder) restoring() string { return filepath.Join(f.path, "restore-unfinished") }

// makeFolder makes the data folder, or closes one that is the service's own to
// other users. A folder with other things in it keeps its mode: it may be
// shared on purpose, and the files in it are closed anyway.
func makeFolder(path string) (folder, error) {
	f := folder{path: path}
	if err := f.check(); err != nil {
		return f, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return f, failure("cannot make the data folder %s: %w", path, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return f, failure("cannot read the data folder %s: %w", path, err)
	}
	if len(entries) == 0 || exists(f.database()) {
		if err := os.Chmod(path, 0o700); err != nil {
			return f, failure("cannot close the data folder %s to other users: %w", path, err)
		}
	}
	return f, nil
}

// usedFolder is a data folder that a service was started on before.
func usedFolder(path string) (folder, error) {
	f := folder{path: path}
	if err := f.check(); err != nil {
		return f, err
	}
	switch _, err := os.Stat(f.database()); {
	case errors.Is(err, fs.ErrNotExist):
		return f, failure("there is no service in %s", path).
			WithHint("`mbl-cloud serve --data %s` makes one; --data names another folder", path)
	case errors.Is(err, fs.ErrPermission):
		return f, failure("cannot read the data folder %s: %w", path, err).
			WithHint("run this as the user that the service runs as, or as root")
	case err != nil:
		return f, failure("cannot read the data folder %s: %w", path, err)
	}
	return f, nil
}

// check refuses no folder at all, and what a restore that was killed has left.
func (f folder) check() error {
	if f.path == "" {
		return usererr.Usage("there is no home folder for the data").WithHint("--data names a folder for it")
	}
	if exists(f.restoring()) {
		return failure("a restore into %s was broken off", f.path).WithHint("empty the folder and restore again")
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lockFolder keeps a second service off the folder until unlock is called or
// the process ends, however it ends.
func (f folder) lockFolder() (unlock func() error, err error) {
	file, err := os.OpenFile(f.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failure("cannot lock the data folder %s: %w", f.path, err)
	}
	err = filelock.TryLock(file)
	if errors.Is(err, filelock.ErrHeld) {
		err = failure("another mbl-cloud serves from %s already", f.path).
			WithHint("stop it first, or give this one a folder of its own with --data")
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file.Close, nil
}

// openSealKey reads the key the stored secrets are sealed with. It is made
// only where nothing can be sealed yet.
func (f folder) openSealKey() (*sealed.Key, error) {
	raw, err := os.ReadFile(f.sealKey())
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(f.database()):
		raw = sealed.Generate()
		if err := atomicfile.Write(f.sealKey(), raw, 0o600); err != nil {
			return nil, failure("cannot make the seal key: %w", err)
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, failure("the seal key %s is missing", f.sealKey()).
			WithHint("put it back from a backup: without it the stored private keys cannot be read")
	case err != nil:
		return nil, failure("cannot read the seal key: %w", err)
	}
	key, err := sealed.NewKey(raw)
	if err != nil {
		return nil, damagedSealKey(f)
	}
	return key, nil
}

func damagedSealKey(f folder) error {
	return failure("the seal key %s is damaged, or is another service's", f.sealKey()).
		WithHint("put it back from a backup: without it the stored private keys cannot be read")
}

// openStore opens the database, which only the service's user may read.
func (f folder) openStore(ctx context.Context) (*store.Store, error) {
	file, err := os.OpenFile(f.database(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failure("cannot open the database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, failure("cannot open the database: %w", err)
	}
	opened, err := store.OpenSQLite(ctx, f.database())
	if errors.Is(err, store.ErrNewer) {
		return nil, failure("the data in %s was changed by a newer mbl-cloud", f.path).Because(err).
			WithHint("use that version or a later one, or restore a backup made before into another folder")
	}
	if err != nil {
		return nil, failure("%w", err)
	}
	return opened, nil
}

// rememberHosts keeps the names devices know the service by: the present one
// first, then earlier ones, which devices in the field still use. wanted may
// be empty.
func (f folder) rememberHosts(wanted string) ([]string, error) {
	text, err := os.ReadFile(f.hosts())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure("cannot read the host names: %w", err)
	}
	known := strings.Fields(string(text))
	if err == nil && len(known) == 0 && wanted == "" {
		return nil, failure("%s is empty: it held the name devices reach this service by; give it again with --host", f.hosts())
	}
	if wanted == "" && len(known) > 0 {
		return known, nil
	}
	if wanted == "" {
		wanted = defaultHost
	}
	hosts := []string{wanted}
	for _, host := range known {
		if host != wanted {
			hosts = append(hosts, host)
		}
	}
	content := []byte(strings.Join(hosts, "\n") + "\n")
	if err := atomicfile.Write(f.hosts(), content, 0o600); err != nil {
		return nil, fmt.Errorf("cannot keep the host name: %w", err)
	}
	return hosts, nil
}
