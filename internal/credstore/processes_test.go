package credstore_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/secret"
)

const savesEach = 15

// childSavesMany is what each process of the test below does.
func childSavesMany(home, name string) error {
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
	}
	return nil
}

func TestTwoProcessesAtOnceLoseNothing(t *testing.T) {
	home := t.TempDir()
	var children []*exec.Cmd
	for _, name := range []string{"a", "b"} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), envChild+"="+name, envHome+"="+home)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	for _, child := range children {
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}
	stores := open(t, home)
	entries, err := stores.List()
	if err != nil || len(entries) != 2*savesEach {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	certs := readJSON(t, filepath.Join(stores.Team.Path(), "config.json"))["dev_certs"].(map[string]any)
	keys := readJSON(t, filepath.Join(stores.User.Path(), "config.json"))["mbl_api_keys"].([]any)
	if len(certs) != 2*savesEach || len(keys) != 2*savesEach {
		t.Errorf("%d certificates and %d keys are listed", len(certs), len(keys))
	}
}
