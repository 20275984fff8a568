package credstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/secret"
)

const savesEach = 15

// childSavesAndDeletes saves entries and keys under names of its own and
// deletes every third entry again.
func childSavesAndDeletes(home, name string) error {
	stores, err := credstore.Open(credstore.Config{Home: home})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for i := range savesEach {
		label := fmt.Sprintf("%s-%d", name, i)
		if err := stores.SaveDeveloper(ctx, label, &credential.Developer{EndpointName: label}); err != nil {
			return err
		}
		key := credstore.APIKey{URL: "https://" + label, Key: secret.New(label)}
		if err := stores.User.SaveAPIKey(ctx, key); err != nil {
			return err
		}
		if i%3 != 0 {
			continue
		}
		if err := stores.Delete(ctx, label); err != nil {
			return err
		}
	}
	return nil
}

func TestProcessesThatSaveAndDeleteAtOnceLoseNothing(t *testing.T) {
	home := t.TempDir()
	names := []string{"a", "b", "c", "d"}
	running := map[string]*exec.Cmd{}
	for _, name := range names {
		running[name] = child(t, name, home)
		if err := running[name].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for name, process := range running {
		if err := process.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	var want []string
	for _, name := range names {
		for i := range savesEach {
			if i%3 != 0 {
				want = append(want, fmt.Sprintf("%s-%d", name, i))
			}
		}
	}
	slices.Sort(want)
	stores := open(t, home)
	entries, err := stores.List()
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, entry := range entries {
		listed = append(listed, entry.Name)
	}
	named := slices.Sorted(maps.Keys(readJSON(t, filepath.Join(stores.Team.Path(), "config.json"))["dev_certs"].(map[string]any)))
	if !slices.Equal(listed, want) || !slices.Equal(named, want) {
		t.Errorf("folders %v\nconfig.json %v\nwant %v", listed, named, want)
	}
	keys, err := stores.User.APIKeys()
	if err != nil || len(keys) != len(names)*savesEach {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for _, store := range []string{stores.Team.Path(), stores.User.Path()} {
		for _, path := range tree(t, store) {
			if path[0] == '.' {
				t.Errorf("left behind: %s", path)
			}
		}
	}
}

// childReadsOnly uses a team store with the entry x that may only be read.
func childReadsOnly(home string) error {
	stores, err := credstore.Open(credstore.Config{Home: home})
	if err != nil {
		return err
	}
	ctx := context.Background()
	attempts := map[string]error{
		"save":   stores.SaveDeveloper(ctx, "y", &credential.Developer{}),
		"delete": stores.Delete(ctx, "x"),
	}
	for name, err := range attempts {
		if !errors.Is(err, credstore.ErrReadOnly) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := stores.LoadDeveloper(ctx, "x"); err != nil {
		return err
	}
	report, err := stores.Team.Report()
	if err != nil || report.Writable || len(report.Problems) == 0 {
		return fmt.Errorf("reported as %+v, %w", report, err)
	}
	return nil
}
