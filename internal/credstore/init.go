package credstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"mbl/internal/atomicfile"
)

// ErrGroup is a group that this machine does not know or that the team store
// cannot be given to.
var ErrGroup = errors.New("unusable group")

// ErrKeysShared is a user store in the team store, or in its place.
var ErrKeysShared = errors.New("the user store would lie in the team store, and API keys be shared")

const groupFolderMode = fs.ModeSetgid | 0o770

// Init says where the stores shall be from now on. An empty place stays as it
// is.
type Init struct {
	User, Team string
	Group      string // that shall use the team store; empty: its rights stay as they are
	DryRun     bool   // check, but make and change nothing
}

// Places are where the stores are, and the file that says so.
type Places struct{ User, Team, StoresFile string }

// Initialize makes the stores that want names, or takes them over where they
// exist, and notes them in the stores file. With a group the team store and
// all entries in it are made usable for its members: folders 2770, files 0640.
func Initialize(cfg Config, want Init) (Places, error) {
	found, err := initialPlaces(cfg, want)
	if err != nil {
		return Places{}, err
	}
	group, err := lookUpGroup(want.Group)
	if err != nil {
		return Places{}, err
	}
	done := Places{User: found.User, Team: found.Team, StoresFile: storesFile(cfg)}
	if want.DryRun {
		return done, nil
	}
	if err := makeStores(found); err != nil {
		return Places{}, err
	}
	if want.Group != "" {
		team := &TeamStore{dir: found.Team}
		if err := team.shareWith(group); err != nil {
			return Places{}, fmt.Errorf("cannot share the team store with the group %s: %w", want.Group, err)
		}
	}
	return done, notePlaces(cfg, found)
}

func initialPlaces(cfg Config, want Init) (places, error) {
	found := defaultPlaces(cfg.Home)
	data, err := readFile(storesFile(cfg), maxPlacesFile)
	if err == nil {
		var problem error
		if found, problem = parsePlaces(data, cfg.Home, filepath.Dir(storesFile(cfg))); problem != nil {
			return places{}, damaged(storesFile(cfg), "%v", problem)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return places{}, fmt.Errorf("cannot read where the stores are: %w", err)
	}
	if want.User != "" {
		found.User = filepath.Clean(want.User)
	}
	if want.Team != "" {
		found.Team = filepath.Clean(want.Team)
	}
	if liesIn(found.User, found.Team) {
		return places{}, fmt.Errorf("%w: %s", ErrKeysShared, found.User)
	}
	return found, nil
}

func liesIn(folder, other string) bool {
	way, err := filepath.Rel(other, folder)
	return err == nil && filepath.IsLocal(way)
}

func makeStores(found places) error {
	if err := makeFolder(found.User, userFolderMode); err != nil {
		return fmt.Errorf("cannot make the user store: %w", err)
	}
	if err := makeFolder(found.Team, teamFolderMode); err != nil {
		return fmt.Errorf("cannot make the team store: %w", err)
	}
	same, err := sameFolder(found.User, found.Team)
	if err == nil && same {
		err = fmt.Errorf("%w: %s", ErrKeysShared, found.User)
	}
	return err
}

// lookUpGroup returns the number of a group given by name or number.
func lookUpGroup(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		group, err = user.LookupGroupId(name)
	}
	if err != nil {
		return -1, fmt.Errorf("%w: there is no group %q here", ErrGroup, name)
	}
	number, err := strconv.Atoi(group.Gid)
	if err != nil {
		return -1, fmt.Errorf("%w: %q has no number", ErrGroup, name)
	}
	return number, nil
}

// notePlaces writes the stores file; what else stands in it stays.
func notePlaces(cfg Config, found places) error {
	path := storesFile(cfg)
	noted := document{}
	if data, err := readFile(path, maxPlacesFile); err == nil {
		if noted, err = parseDocument(data); err != nil {
			return damaged(path, "%v", err)
		}
	}
	if err := errors.Join(noted.set("user", found.User), noted.set("team", found.Team)); err != nil {
		return err
	}
	data, err := json.MarshalIndent(noted, "", "    ")
	if err != nil {
		return fmt.Errorf("cannot encode where the stores are: %w", err)
	}
	if err := atomicfile.Write(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot note where the stores are: %w", err)
	}
	return nil
}

// shareWith gives the store to a group. config.json and the entries that are
// there already are made usable too.
func (t *TeamStore) shareWith(group int) error {
	if err := giveFolder(t.dir, group); err != nil {
		return err
	}
	doc, certs, err := t.readCerts()
	if err != nil {
		return err
	}
	if err := t.writeCerts(doc, certs); err != nil {
		return err
	}
	names, err := t.entryNames()
	if err != nil {
		return err
	}
	store, err := os.OpenRoot(t.dir)
	if err != nil {
		return err
	}
	defer store.Close()
	for _, name := range names {
		if err := shareEntry(store, name, group); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// giveFolder changes nothing on a folder that is right already: it may belong
// to somebody else of the group.
func giveFolder(path string, group int) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return damaged(path, "it is not a folder")
	}
	if groupOf(info) == group && info.Mode()&groupFolderMode == groupFolderMode {
		return nil
	}
	if err := os.Chown(path, -1, group); err != nil {
		return fmt.Errorf("%w: %w", ErrGroup, err)
	}
	return os.Chmod(path, groupFolderMode)
}

func shareEntry(store *os.Root, name string, group int) error {
	entry, err := store.OpenRoot(name)
	if err != nil {
		return err
	}
	defer entry.Close()
	files, err := namesIn(entry)
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := entry.Lstat(file)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		if err := share(entry, file, info, group, 0o640); err != nil {
			return err
		}
	}
	info, err := store.Lstat(name)
	if err != nil {
		return err
	}
	return share(store, name, info, group, groupFolderMode)
}

func share(root *os.Root, name string, info fs.FileInfo, group int, mode fs.FileMode) error {
	const rights = fs.ModePerm | fs.ModeSetgid
	if groupOf(info) == group && info.Mode()&rights == mode {
		return nil
	}
	if err := root.Lchown(name, -1, group); err != nil {
		return err
	}
	return root.Chmod(name, mode)
}
