package transfer

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestLinksThatLeaveTheFolder(t *testing.T) {
	cases := []struct {
		inside, target string
		leaves         bool
	}{
		{"", "x", false},
		{"", "a/../b", false},
		{"a", "../b", false},
		{"a/b", "../..", false},
		{"", ".", false},
		{"", "..x", false},
		{"", "..", true},
		{"", "../x", true},
		{"a", "../../x", true},
		{"a", "/x", true},
		{"a", "b/../../../x", true},
	}
	for _, c := range cases {
		if got := leaves(c.inside, c.target); got != c.leaves {
			t.Errorf("link to %q in %q leaves: %v", c.target, c.inside, got)
		}
	}
}

// hostile is a device whose folders hold things with one bad name.
type hostile struct {
	files
	name string
}

func (h hostile) stat(context.Context, string) (entry, error) {
	return entry{mode: fs.ModeDir | 0o755}, nil
}

func (h hostile) list(context.Context, string) ([]entry, error) {
	return []entry{{name: h.name, mode: 0o644}}, nil
}
func (h hostile) join(folder, name string) string         { return folder + "/" + name }
func (h hostile) split(name string) (folder, base string) { return "", name }

func TestADeviceCannotNameFilesElsewhere(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "/etc/passwd", "a/b", "nul\x00"} {
		p := planner{sides: sides{from: hostile{name: name}, to: local{}}}
		if _, err := p.run(t.Context(), "src", t.TempDir(), true); !errors.Is(err, ErrName) {
			t.Errorf("name %q: err = %v", name, err)
		}
	}
}

func TestPartsHaveNamesThatFit(t *testing.T) {
	if got := partOf(local{}, "/a/image"); got != "/a/.image.part" {
		t.Errorf("part %q", got)
	}
	for _, length := range []int{249, 250, 255} {
		part := partOf(local{}, "/a/"+strings.Repeat("n", length))
		if name := strings.TrimPrefix(part, "/a/"); len(name) > 255 || name[0] != '.' {
			t.Errorf("a name of %d bytes has the part %q", length, name)
		}
	}
}

func TestWhatIsSentOfASparseFile(t *testing.T) {
	const mib = 1 << 20
	data := worthwhile([]extent{{0, 10}, {4096, 5000}, {8 * mib, 9 * mib}})
	if want := []extent{{0, 5000}, {8 * mib, 9 * mib}}; !slices.Equal(data, want) {
		t.Errorf("sent: %v", data)
	}
	if rest := after(data, 8*mib+5); !slices.Equal(rest, []extent{{8*mib + 5, 9 * mib}}) {
		t.Errorf("after a break: %v", rest)
	}
}

func TestModesAsTheShellTellsThem(t *testing.T) {
	cases := map[string]fs.FileMode{
		"-rw-r--r-- 5": 0o644, "-rwsr-sr-t 5": 0o755, "-rwSr-Sr-T 5": 0o644, "---------- 5": 0,
		"-rw-r--r--. 5": 0o644, "drwxr-xr-x+ 5": fs.ModeDir | 0o755, "lrwxrwxrwx 5": fs.ModeSymlink | 0o777,
		"crw-rw-rw- 1,": fs.ModeDevice | fs.ModeCharDevice | 0o666, "Drw------- x": fs.ModeIrregular | 0o600,
	}
	for text, mode := range cases {
		e, err := parseDescription(text)
		if err != nil || e.mode != mode {
			t.Errorf("%q: %v, %v; want %v", text, e.mode, err, mode)
		}
	}
	for _, text := range []string{"", "-rw", "-rw-r--r--", "-rw-r--r-- many", "-rw-r--r-- -5", "total 0"} {
		if e, err := parseDescription(text); err == nil {
			t.Errorf("%q: %+v", text, e)
		}
	}
}

func FuzzDescriptions(f *testing.F) {
	f.Add("-rw-r--r-- 12\x00./name\x00.\x00")
	f.Add("lrwxrwxrwx 5\x00./a\nb\x00to\n.\x00drwxr-xr-x 0\x00./d\x00.\x00")
	f.Fuzz(func(t *testing.T, output string) {
		entries, err := parseDescriptions(output)
		if err != nil {
			return
		}
		if strings.Count(output, "\x00") != 3*len(entries) {
			t.Errorf("%d entries of %q", len(entries), output)
		}
		for _, e := range entries {
			if e.size < 0 {
				t.Errorf("a size of %d", e.size)
			}
		}
	})
}

func FuzzShellQuoted(f *testing.F) {
	f.Add("it's")
	f.Add("-rf")
	f.Fuzz(func(t *testing.T, name string) {
		quoted := shellQuoted(name)
		inner := strings.ReplaceAll(quoted, `'\''`, "")
		if strings.Count(inner, "'") != 2 || inner[0] != '\'' || inner[len(inner)-1] != '\'' || strings.HasPrefix(quoted, "'-") {
			t.Errorf("%q is quoted as %s", name, quoted)
		}
	})
}
