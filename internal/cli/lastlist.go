package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"mbl/internal/atomicfile"
)

// lastListAge is how long "select 1" means the first device of the last list.
const lastListAge = time.Hour

// lastList is the numbered list that was last shown to this user.
type lastList struct {
	Shown   time.Time     `json:"shown"`
	Devices []foundDevice `json:"devices"`
}

func (a *app) lastListFile() (string, error) {
	if dir := a.sys.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mbl-cli", "devices.json"), nil
	}
	home, err := a.home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".cache", "mbl-cli", "devices.json"), nil
}

// rememberList keeps a list that was shown.
func (a *app) rememberList(devices []foundDevice, now time.Time) error {
	file, err := a.lastListFile()
	if err != nil {
		return err
	}
	data, err := json.Marshal(lastList{Shown: now.UTC(), Devices: devices})
	if err != nil {
		return fmt.Errorf("cannot encode the list of devices: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("cannot keep the list of devices: %w", err)
	}
	if err := atomicfile.Write(file, data, 0o600); err != nil {
		return fmt.Errorf("cannot keep the list of devices: %w", err)
	}
	return nil
}

// recallList is the list last shown; none if there is none or it is old.
func (a *app) recallList(now time.Time) ([]foundDevice, error) {
	file, err := a.lastListFile()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of devices: %w", err)
	}
	var list lastList
	// A cache that cannot be read is as good as none.
	if json.Unmarshal(data, &list) != nil || now.Sub(list.Shown) > lastListAge {
		return nil, nil
	}
	return list.Devices, nil
}
