package credstore

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mbl/internal/credential"
)

// LoadDeveloper reads a developer certificate for use. Its first use is
// remembered; if it has been changed since, the error matches ErrChanged.
func (s *Stores) LoadDeveloper(ctx context.Context, name string) (dev *credential.Developer, err error) {
	err = s.use(ctx, KindDeveloper, name, func(vars map[string][]byte) (err error) {
		dev, err = credential.DeveloperFromVariables(vars)
		return err
	})
	if err != nil {
		return nil, err
	}
	return dev, nil
}

// LoadUpdate reads an update certificate for use, as LoadDeveloper does.
func (s *Stores) LoadUpdate(ctx context.Context, name string) (update *credential.Update, err error) {
	err = s.use(ctx, KindUpdate, name, func(vars map[string][]byte) (err error) {
		update, err = credential.UpdateFromVariables(vars)
		return err
	})
	if err != nil {
		return nil, err
	}
	return update, nil
}

// use reads an entry that must hold variables of this kind, as they were at
// their first use. One that is not whole is not remembered: the rest of it may
// still be on its way here.
func (s *Stores) use(ctx context.Context, kind Kind, name string, parse func(map[string][]byte) error) error {
	vars, err := s.Team.readEntry(name)
	if err == nil && !kind.in(vars) {
		err = ErrNotFound
	}
	if err == nil {
		err = parse(vars)
	}
	if err == nil {
		err = s.checkPin(ctx, kind, name, pinOf(kind, vars))
	}
	if err != nil {
		return cannotLoad(kind, name, err)
	}
	return nil
}

func cannotLoad(kind Kind, name string, err error) error {
	return fmt.Errorf("cannot load the %s certificate %q: %w", kind, name, err)
}

// CheckFree tells whether a new entry may have this name: the error matches
// ErrName or ErrExists if not.
func (s *Stores) CheckFree(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	_, err := os.Lstat(filepath.Join(s.Team.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look for %q in the team store: %w", name, err)
	}
	return fmt.Errorf("%q: %w", name, ErrExists)
}

// SaveDeveloper puts a developer certificate into the team store, as a whole
// or not at all. An entry of that name is not replaced: ErrExists.
func (s *Stores) SaveDeveloper(ctx context.Context, name string, dev *credential.Developer) error {
	return s.save(ctx, KindDeveloper, name, dev.Variables())
}

// SaveUpdate puts an update certificate into the team store, as SaveDeveloper
// does.
func (s *Stores) SaveUpdate(ctx context.Context, name string, update *credential.Update) error {
	return s.save(ctx, KindUpdate, name, update.Variables())
}

// CheckFreeAuthority is CheckFree for an update certificate with a private
// key, of which there must be none either.
func (s *Stores) CheckFreeAuthority(name string) error {
	if err := s.CheckFree(name); err != nil {
		return err
	}
	if s.User.HasUpdateKey(name) {
		return fmt.Errorf("the private key %s: %w", s.User.UpdateKeyFile(name), ErrExists)
	}
	return nil
}

// SaveUpdateAuthority puts an update certificate into the team store and its
// private key into the user store, both or neither. The error matches
// ErrExists if either is there.
func (s *Stores) SaveUpdateAuthority(ctx context.Context, name string, update *credential.Update, key *ecdsa.PrivateKey) error {
	if err := s.CheckFreeAuthority(name); err != nil {
		return err
	}
	if err := s.User.saveUpdateKey(ctx, name, key); err != nil {
		return fmt.Errorf("cannot save the update authority's key: %w", err)
	}
	if err := s.SaveUpdate(ctx, name, update); err != nil {
		return errors.Join(err, s.User.deleteUpdateKey(name))
	}
	return nil
}

func (s *Stores) save(ctx context.Context, kind Kind, name string, vars []credential.Variable) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := locked(ctx, s.Team.dir, func() error { return s.Team.addEntry(name, vars) })
	if err != nil {
		return fmt.Errorf("cannot save the %s certificate %q: %w", kind, name, err)
	}
	if err := s.setPin(ctx, kind, name, pinOf(kind, byName(vars))); err != nil {
		return errors.Join(err, s.Team.delete(context.WithoutCancel(ctx), name))
	}
	return nil
}

func byName(vars []credential.Variable) map[string][]byte {
	named := make(map[string][]byte, len(vars))
	for _, v := range vars {
		named[v.Name] = v.Data
	}
	return named
}

// Delete removes an entry from the team store. The error matches ErrNotFound
// if there is none of that name.
func (s *Stores) Delete(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := s.Team.delete(ctx, name); err != nil {
		return fmt.Errorf("cannot delete %q from the team store: %w", name, err)
	}
	for _, kind := range kinds() {
		if err := s.setPin(ctx, kind, name, ""); err != nil {
			return err
		}
	}
	return nil
}

func (t *TeamStore) delete(ctx context.Context, name string) error {
	return locked(ctx, t.dir, func() error { return t.removeEntry(name) })
}

// addEntry writes a new entry beside its place and moves it there, so that
// nobody sees a part of it. The caller holds the lock.
func (t *TeamStore) addEntry(name string, vars []credential.Variable) (err error) {
	store, err := os.OpenRoot(t.dir)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Lstat(name); err == nil {
		return ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	doc, certs, err := t.readCerts()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.RemoveAll(newPrefix+name))
		}
	}()
	if err := t.fillEntry(store, newPrefix+name, vars); err != nil {
		return err
	}
	if err := store.Rename(newPrefix+name, name); err != nil {
		return err
	}
	certs[name] = t.files(name, vars)
	if err := t.writeCerts(doc, certs); err != nil {
		return errors.Join(err, store.RemoveAll(name))
	}
	return nil
}

func (t *TeamStore) fillEntry(store *os.Root, folder string, vars []credential.Variable) error {
	modes, err := t.modes()
	if err != nil {
		return err
	}
	if err := store.Mkdir(folder, modes.folder.Perm()); err != nil {
		return err
	}
	if err := store.Chmod(folder, modes.folder); err != nil {
		return err
	}
	for _, v := range vars {
		if err := writeNew(store, filepath.Join(folder, v.Name+variableFileType), v.Data, modes.secret); err != nil {
			return err
		}
	}
	return nil
}

// removeEntry takes an entry out of sight first, then out of config.json, then
// off the disk. The caller holds the lock.
func (t *TeamStore) removeEntry(name string) error {
	store, err := os.OpenRoot(t.dir)
	if err != nil {
		return err
	}
	defer store.Close()
	doc, certs, err := t.readCerts()
	if err != nil {
		return err
	}
	err = t.checkFolder(store, name)
	if _, named := certs[name]; named && errors.Is(err, ErrNotFound) {
		delete(certs, name)
		return t.writeCerts(doc, certs)
	}
	if err != nil {
		return err
	}
	if err := store.Rename(name, oldPrefix+name); err != nil {
		return err
	}
	delete(certs, name)
	if err := t.writeCerts(doc, certs); err != nil {
		return errors.Join(err, store.Rename(oldPrefix+name, name))
	}
	return store.RemoveAll(oldPrefix + name)
}

// files are an entry's files as the original lists them.
func (t *TeamStore) files(name string, vars []credential.Variable) []string {
	var files []string
	for _, v := range vars {
		files = append(files, filepath.Join(t.dir, name, v.Name+variableFileType))
	}
	slices.Sort(files)
	return files
}

func (t *TeamStore) readCerts() (document, map[string][]string, error) {
	doc, err := readDocument(t.dir)
	if err != nil {
		return nil, nil, err
	}
	certs := map[string][]string{}
	if err := doc.get(t.dir, fieldCerts, &certs); err != nil {
		return nil, nil, err
	}
	if certs == nil {
		certs = map[string][]string{} // the text "null"
	}
	return doc, certs, nil
}

func (t *TeamStore) writeCerts(doc document, certs map[string][]string) error {
	modes, err := t.modes()
	if err != nil {
		return err
	}
	if err := doc.set(fieldCerts, certs); err != nil {
		return err
	}
	return doc.write(t.dir, modes.config)
}

// modes are the rights of what is written into the team store.
type modes struct{ folder, secret, config fs.FileMode }

// modes are the owner's alone, unless the store's folder was made for a group:
// it is setgid, or the group may enter and write.
func (t *TeamStore) modes() (modes, error) {
	info, err := os.Stat(t.dir)
	if err != nil {
		return modes{}, err
	}
	setgid := info.Mode() & fs.ModeSetgid
	if setgid == 0 && info.Mode().Perm()&0o070 != 0o070 {
		return modes{folder: 0o700, secret: secretMode, config: secretMode}, nil
	}
	return modes{folder: setgid | 0o770, secret: 0o640, config: 0o660}, nil
}
