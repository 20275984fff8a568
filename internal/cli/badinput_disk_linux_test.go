package cli_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// disk puts a file system of its own in a folder's place, with what the folder
// has: a full one, or one that cannot be written.
func disk(folder string, full bool) func(w *workplace) {
	return func(w *workplace) {
		place := filepath.Join(w.dir, folder)
		kept := filepath.Join(w.t.TempDir(), "kept")
		w.must(os.CopyFS(kept, os.DirFS(place)))
		if err := syscall.Mount("tmpfs", place, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
			w.t.Skipf("needs root, to mount a small disk: %v", err)
		}
		w.t.Cleanup(func() { w.must(syscall.Unmount(place, syscall.MNT_DETACH)) })
		w.must(os.CopyFS(place, os.DirFS(kept)))
		if full {
			_ = os.WriteFile(filepath.Join(place, "filling"), make([]byte, 1<<20), 0o600) // as much as fits
			return
		}
		w.must(syscall.Mount("", place, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	}
}

func TestStoresWithoutSpaceOrRights(t *testing.T) {
	const user, team = "home/.mbl-store/user", "home/.mbl-store/team"
	const save, create = "--api-url $SERVICE save-api-key ak_1good", "create-update-certificate more --domain example.com --model m"
	const makeRoom, notYours = "make some room there, and run the command again", "ask its owner for the right to write, or use another store: `mbl-cli store init --help`"
	refuses(t, []mishap{
		{name: "full user store", given: disk(user, true), typed: save, code: 255, says: "cannot save the API key: cannot write $USER/config.json: no space left on device", hint: makeRoom},
		{name: "full team store", given: disk(team, true), typed: create, code: 255, says: "cannot save the update certificate \"more\": write $TEAM/.new-more/…: no space left on device", hint: makeRoom},
		{name: "full team store, service", given: disk(team, true), typed: "provision-pelion new-boards updates --create-dev-cert", code: 255, says: "cannot write to the team store: no space is left for the store: write $TEAM/.new-trial: no space left on device", hint: makeRoom},
		{name: "read-only user store", given: disk(user, false), typed: save, code: 255, says: "cannot save the API key: you may not write into the store: $USER: open $USER/.lock: read-only file system", hint: notYours},
		{name: "read-only team store", given: disk(team, false), typed: create, code: 255, says: "cannot save the update certificate \"more\": you may not write into the store: $TEAM: open $TEAM/.lock: read-only file system", hint: notYours},
		{name: "read-only team store, deleting", given: disk(team, false), typed: "delete-certificate boards --yes", code: 255, says: "cannot write to the team store: you may not write into the store: $TEAM: open $TEAM/.lock: read-only file system", hint: notYours},
		{name: "read-only team store, service", given: disk(team, false), typed: "provision-pelion new-boards updates --create-dev-cert", code: 255, says: "cannot write to the team store: you may not write into the store: $TEAM: open $TEAM/.lock: read-only file system", hint: notYours},
	})
}
