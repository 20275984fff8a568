package sandbox

import (
	"os"
	"slices"
	"testing"
)

func TestAKeptFolderHasTheSameDevicesAgain(t *testing.T) {
	w := &world{dir: t.TempDir()}
	names := func(count int) []string {
		t.Helper()
		names, err := w.deviceNames(count)
		if err != nil || len(names) != count {
			t.Fatalf("%d names: %q, %v", count, names, err)
		}
		for _, name := range names {
			if err := os.MkdirAll(w.deviceDir(name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return names
	}
	first := names(2)
	if err := os.Rename(w.deviceDir(first[1]), w.deviceDir("of-another-process")); err != nil {
		t.Fatal(err)
	}
	more := names(3)
	for _, name := range []string{first[0], "of-another-process"} {
		if !slices.Contains(more, name) {
			t.Errorf("%s is gone: there are %q", name, more)
		}
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(more))); len(distinct) != 3 {
		t.Errorf("names come twice: %q", more)
	}
	names(0)
}
