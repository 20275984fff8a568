// Package house holds no code, only the rules of this module that a compiler
// does not check: who may import whom, which library lives behind which wall,
// and what must not stand in the tree. docs/architecture.md has the picture.
package house

import (
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layers are the floors of the house, from the front doors down to the words
// everybody uses. A room may import rooms below its own floor, never beside.
// A room's folders below it (cloud/store/sqlite) belong to the room.
var layers = []struct {
	name  string
	rooms []string
}{
	{"front doors", []string{"cli", "deviceapp", "cloudapp", "sandbox"}},
	{"the service's doors", []string{"cloud/restapi", "cloud/lwm2m", "cloud/store"}},
	{"brains", []string{"provision", "diagnose", "enroll", "device", "cloud"}},
	{"hands", []string{"credstore", "discovery", "ssh", "cloudapi", "keystore", "backup", "webhook", "hostinfo", "applications"}},
	{"formats and protocols", []string{"credential", "lwm2m", "coap"}},
	{"keys and ids", []string{"pki", "objectid", "sealed"}},
	{"words", []string{"usererr", "iostreams", "atomicfile", "buildinfo", "subcommand", "secret", "program", "regularfile", "filelock"}},
}

// walls name libraries that only some rooms may touch.
var walls = []struct {
	libraries []string
	rooms     []string
	reason    string
}{
	{
		[]string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/pressly/goose"},
		[]string{"cloud/store"},
		"SQL has one home, so that another engine is one folder's matter",
	},
	{
		[]string{"golang.org/x/crypto/ssh", "github.com/pkg/sftp"},
		[]string{"ssh", "sandbox"},
		"host keys and logins are decided in one place; the sandbox is the other end",
	},
	{
		[]string{"github.com/plgd-dev/go-coap", "github.com/pion/dtls"},
		[]string{"coap"},
		"the CoAP and DTLS libraries are replaceable as long as one package knows them",
	},
	{
		[]string{"C"},
		[]string{"coap"},
		"C is spoken in one place (coap/openssl, docs/decisions/0007), and everything builds without it",
	},
	{
		[]string{"github.com/miekg/dns"},
		[]string{"discovery"},
		"what mDNS libraries disagree about (zones, duplicates) is settled in one place",
	},
	{
		[]string{"github.com/spf13/cobra", "github.com/spf13/pflag"},
		[]string{"cli", "deviceapp", "cloudapp", "sandbox", "subcommand"},
		"flags are read at the front doors only",
	},
	{
		[]string{"github.com/zalando/go-keyring"},
		[]string{"credstore"},
		"where a key is kept is decided in one place",
	},
	{
		[]string{"github.com/coder/websocket"},
		[]string{"cloud/restapi"},
		"one door upgrades connections; who is served through them is decided behind it",
	},
	{
		[]string{"github.com/google/go-tpm"},
		[]string{"keystore"},
		"what a TPM is asked to do is decided in one place",
	},
	{
		[]string{"github.com/coreos/go-systemd"},
		[]string{"deviceapp"},
		"who supervises a program is the front door's matter",
	},
	{
		[]string{"os/signal"},
		[]string{"program"},
		"a signal ends the context and nothing else; program turns one into the other",
	},
	{
		[]string{"github.com/getkin/kin-openapi"},
		[]string{"cloud/restapi"},
		"the programs serve their API and do not check it; tests do",
	},
}

func TestImportsPointDownAndNeverSideways(t *testing.T) {
	for _, file := range goFiles(t) {
		room := file.room()
		if room == "" || file.test {
			continue
		}
		floor := floorOf(room)
		if floor < 0 {
			t.Errorf("%s: internal/%s has no floor: place it in layers (house_test.go) and in docs/architecture.md", file.path, room)
			continue
		}
		for _, path := range file.imports() {
			other := roomOf(path)
			if !strings.HasPrefix(path, "mbl/") || other == room {
				continue
			}
			if below := floorOf(other); below > floor || isWord(floor, below) {
				continue
			}
			t.Errorf("%s imports %s: %s may import only what stands below %q; siblings meet in the floor above, else a change in one room shakes the next",
				file.path, path, room, layers[floor].name)
		}
	}
}

// isWord allows words to use each other: they are too small to have an order.
func isWord(floor, other int) bool { return floor == other && floor == len(layers)-1 }

func TestMainsOnlyStartTheirFrontDoor(t *testing.T) {
	for _, file := range goFiles(t) {
		if !strings.HasPrefix(file.path, "cmd/") || file.test {
			continue
		}
		for _, path := range file.imports() {
			if floorOf(roomOf(path)) != 0 && roomOf(path) != "program" {
				t.Errorf("%s imports %s: a main starts its front door and nothing else, so that tests can start the same door", file.path, path)
			}
		}
	}
}

func TestLibrariesStayBehindTheirWalls(t *testing.T) {
	for _, file := range goFiles(t) {
		room := file.room()
		if room == "" || file.test {
			continue
		}
		for _, path := range file.imports() {
			for _, wall := range walls {
				if behind(path, wall.libraries) && !slices.Contains(wall.rooms, room) {
					t.Errorf("%s imports %s, which belongs to internal/{%s}: %s", file.path, path, strings.Join(wall.rooms, ","), wall.reason)
				}
			}
		}
	}
}

func behind(path string, libraries []string) bool {
	return slices.ContainsFunc(libraries, func(library string) bool {
		return path == library || strings.HasPrefix(path, library+"/")
	})
}

func TestTheDeviceProgramStaysSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/mbl-device").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	unwanted := []string{
		"database/sql", "modernc.org", "github.com/jackc", "github.com/prometheus", "golang.org/x/crypto/ssh",
		"testing", "mbl/internal/cloud", "mbl/internal/cloudapp", "mbl/internal/cli", "mbl/internal/sandbox",
		"mbl/internal/coap/openssl",
	}
	for _, dep := range strings.Fields(string(out)) {
		if behind(dep, unwanted) {
			t.Errorf("mbl-device links %s: it must fit a gateway-class board and carries nothing of the service or the workstation", dep)
		}
	}
}

func TestOnlyMainsAndTheirWiringTouchTheProcess(t *testing.T) {
	reason := map[string]string{
		"Exit":   "an exit hides a path from every test; return an error or an exit code",
		"Getenv": "programs get their environment from iostreams.System",
		"Stdin":  "programs get their streams from iostreams.System",
		"Stdout": "programs get their streams from iostreams.System",
		"Stderr": "programs get their streams from iostreams.System",
	}
	for _, file := range goFiles(t) {
		room := file.room()
		if room == "" || file.test || room == "program" || room == "iostreams" {
			continue
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			if pkg, name := selector(n); pkg == "os" && reason[name] != "" {
				t.Errorf("%s: os.%s: %s", file.set.Position(n.Pos()), name, reason[name])
			}
			return true
		})
	}
}

// mayNotRun lists the test files with tests that some machines cannot run,
// and what those need. They say so with t.Skip, make test lists them, and
// with CI=true they fail.
var mayNotRun = map[string]string{
	"e2e/network/network_test.go": "root, to make network namespaces",
	"e2e/boards/user_test.go":     "root, to be somebody else",
	"e2e/boards/systemd_test.go":  "root and control groups of version 2, to boot a systemd",
	"e2e/swarm/router_test.go":    "root, to make network namespaces",
}

func TestNoTestSkipsSilently(t *testing.T) {
	for _, file := range goFiles(t) {
		if mayNotRun[file.path] != "" {
			continue
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			if pkg, name := selector(n); (pkg == "t" || pkg == "b" || pkg == "f") && strings.HasPrefix(name, "Skip") {
				t.Errorf("%s: %s.%s: a skipped test proves nothing; tests that need a special machine stand in mayNotRun", file.set.Position(n.Pos()), pkg, name)
			}
			return true
		})
	}
}

// selector takes x.Name apart where x is a plain name.
func selector(n ast.Node) (x, name string) {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	ident, ok := s.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return ident.Name, s.Sel.Name
}

func TestFilesAreAboutOneThing(t *testing.T) {
	const most = 600
	for _, file := range goFiles(t) {
		if !file.test && file.size > most && !ast.IsGenerated(file.ast) {
			t.Errorf("%s has %d lines, more than %d: it has become two things", file.path, file.size, most)
		}
	}
}

func TestFoldersSayWhatIsInThem(t *testing.T) {
	drawers := []string{"util", "utils", "common", "helpers", "service", "pkg", "misc"}
	for _, file := range goFiles(t) {
		if name := filepath.Base(filepath.Dir(file.path)); slices.Contains(drawers, name) {
			t.Errorf("%s: %q is a drawer, not a name", file.path, name)
		}
	}
}

func TestTheTreeHoldsNoUnfinishedOrPrivateMarks(t *testing.T) {
	marks := []struct {
		pattern *regexp.Regexp
		reason  string
	}{
		{regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), "unfinished work belongs into an issue"},
		{regexp.MustCompile(`/(work|workspace)/|/tmp/mbl/`), "a path of one machine means nothing on another"},
	}
	textFiles(t, func(path string) {
		if path == "house_test.go" || path == "go.sum" || !isText(path) {
			return
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(content), "\n") {
			for _, mark := range marks {
				if found := mark.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: %s", path, number+1, found, mark.reason)
				}
			}
		}
	})
}
