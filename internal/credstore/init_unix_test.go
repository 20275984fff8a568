//go:build unix

package credstore_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mbl/internal/credstore"
)

// ownGroup is a group that the person running the tests belongs to.
func ownGroup(t *testing.T) string {
	t.Helper()
	group, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if err != nil {
		t.Fatal(err)
	}
	return group.Name
}

func TestAGroupsStoreIsMadeUsableWithAllThatIsInIt(t *testing.T) {
	home, team := t.TempDir(), filepath.Join(t.TempDir(), "srv", "team")
	putEntry(t, team, "old", developer(t).Variables())
	if err := errors.Join(os.Chmod(filepath.Join(team, "old"), 0o700), os.Symlink("/etc/passwd", filepath.Join(team, "old", "link.bin"))); err != nil {
		t.Fatal(err)
	}
	outside := mode(t, "/etc/passwd")

	old := syscall.Umask(0o077)
	places, err := credstore.Initialize(credstore.Config{Home: home}, credstore.Init{Team: team, Group: ownGroup(t)})
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	if places.Team != team || readJSON(t, filepath.Join(home, ".mbl-stores.json"))["team"] != team {
		t.Errorf("the team store is %s", places.Team)
	}
	stores := open(t, home)
	if err := stores.SaveDeveloper(t.Context(), "new", developer(t)); err != nil {
		t.Fatal(err)
	}
	const rights = fs.ModePerm | fs.ModeSetgid
	for path, want := range map[string]fs.FileMode{
		".": fs.ModeSetgid | 0o770, "config.json": 0o660,
		"old": fs.ModeSetgid | 0o770, "old/MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin": 0o640,
		"new": fs.ModeSetgid | 0o770, "new/MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin": 0o640,
	} {
		if got := mode(t, filepath.Join(team, path)) & rights; got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
	if got := mode(t, "/etc/passwd"); got != outside {
		t.Errorf("a link in the store reached outside: %v", got)
	}
	if mode(t, stores.User.Path()).Perm() != 0o700 {
		t.Error("the user store is open")
	}
}

func TestAColleagueJoinsTheStoreAsItIs(t *testing.T) {
	team := t.TempDir()
	if err := os.Chmod(team, 0o770|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	before, home := mode(t, team), t.TempDir()
	write(t, filepath.Join(home, ".mbl-stores.json"), `{"user": "~/mine", "other": 1}`)
	places, err := credstore.Initialize(credstore.Config{Home: home}, credstore.Init{Team: team})
	if err != nil {
		t.Fatal(err)
	}
	noted := readJSON(t, filepath.Join(home, ".mbl-stores.json"))
	if places.User != filepath.Join(home, "mine") || noted["user"] != places.User || noted["other"] != 1.0 {
		t.Errorf("places %+v, noted %v", places, noted)
	}
	if mode(t, team) != before || len(tree(t, team)) != 0 {
		t.Errorf("the store was changed: %v, %v", mode(t, team), tree(t, team))
	}
}

func TestStoresThatCannotBeAreNotNoted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	tests := map[string]struct {
		want credstore.Init
		is   error
	}{
		"unknown group": {credstore.Init{Team: filepath.Join(t.TempDir(), "x"), Group: "no such group"}, credstore.ErrGroup},
		"one folder":    {credstore.Init{Team: "/same/x", User: "/same/x"}, credstore.ErrKeysShared},
		"keys in team":  {credstore.Init{Team: "/same/x", User: "/same/x/keys"}, credstore.ErrKeysShared},
		"a file":        {credstore.Init{Team: file, Group: ownGroup(t)}, credstore.ErrDamaged},
		"below a file":  {credstore.Init{Team: filepath.Join(file, "x")}, syscall.ENOTDIR},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			if _, err := credstore.Initialize(credstore.Config{Home: home}, test.want); !errors.Is(err, test.is) {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(filepath.Join(home, ".mbl-stores.json")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("noted all the same: %v", err)
			}
		})
	}
}

func TestADryRunMakesNothing(t *testing.T) {
	home := t.TempDir()
	_, err := credstore.Initialize(credstore.Config{Home: home}, credstore.Init{Team: filepath.Join(home, "team"), DryRun: true})
	if left := tree(t, home); err != nil || len(left) != 0 {
		t.Errorf("made %v, %v", left, err)
	}
}

func TestTheReportNamesWhatIsWrong(t *testing.T) {
	stores := open(t, t.TempDir())
	team := stores.Team.Path()
	if err := stores.SaveDeveloper(t.Context(), "good", developer(t)); err != nil {
		t.Fatal(err)
	}
	if report, err := stores.Team.Report(); err != nil || len(report.Problems) != 0 || report.Items != 1 || !report.Writable {
		t.Fatalf("a good store: %+v, %v", report, err)
	}
	putEntry(t, team, "half", developer(t).Variables())
	if err := os.Remove(filepath.Join(team, "half", "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI.bin")); err != nil {
		t.Fatal(err)
	}
	config := readJSON(t, filepath.Join(team, "config.json"))
	good := config["dev_certs"].(map[string]any)["good"]
	write(t, filepath.Join(team, "config.json"), `{"dev_certs": {"good": ["x"], "gone": ["x"], "../up": ["x"]}}`)
	if good == nil {
		t.Fatal("the good entry is not in config.json")
	}

	report, err := stores.Team.Report()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"half: cannot read the developer credentials: missing MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI",
		"gone: " + filepath.Join(team, "gone") + ": config.json names it, but its folder is missing",
		"half: config.json does not name it",
		`config.json names an entry that cannot be one: unusable name "../up"`,
	} {
		if !strings.Contains(strings.Join(report.Problems, "\n"), want) {
			t.Errorf("does not say %q:\n%s", want, strings.Join(report.Problems, "\n"))
		}
	}
	if len(report.Problems) != 4 {
		t.Errorf("says %d things:\n%s", len(report.Problems), strings.Join(report.Problems, "\n"))
	}

	// What is named without being there can be taken out again.
	if err := stores.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if _, there := readJSON(t, filepath.Join(team, "config.json"))["dev_certs"].(map[string]any)["gone"]; there {
		t.Error("still named")
	}
}

func TestAHalfCopiedEntryIsNotRememberedAsItsFirstUse(t *testing.T) {
	stores, dev := open(t, t.TempDir()), developer(t)
	putEntry(t, stores.Team.Path(), "x", dev.Variables()[:3])
	if _, err := stores.LoadDeveloper(t.Context(), "x"); err == nil {
		t.Fatal("loaded half of it")
	}
	putEntry(t, stores.Team.Path(), "x", dev.Variables())
	if got, err := stores.LoadDeveloper(t.Context(), "x"); err != nil || !reflect.DeepEqual(got, dev) {
		t.Errorf("once it is whole: %v", err)
	}
}

func TestAStoreThatMayOnlyBeReadSaysSo(t *testing.T) {
	home := t.TempDir()
	stores := open(t, home)
	putEntry(t, stores.Team.Path(), "x", developer(t).Variables())
	if err := os.Chmod(stores.Team.Path(), 0o550); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "reads only", home)
	if os.Getuid() == 0 { // whom rights do not stop
		becomeNobody(t, cmd, home)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// becomeNobody lets the process run as somebody without rights, who owns home.
func becomeNobody(t *testing.T, cmd *exec.Cmd, home string) {
	t.Helper()
	const nobody = 65534
	if err := os.Chmod(filepath.Dir(home), 0o711); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(tree(t, home), ".") {
		if err := os.Chown(filepath.Join(home, path), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "credstore.test") // where nobody may look
	if err := os.WriteFile(program, []byte(read(t, cmd.Path)), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Dir = program, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
