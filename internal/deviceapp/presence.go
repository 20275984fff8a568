package deviceapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"mbl/internal/atomicfile"
	"mbl/internal/device"
	"mbl/internal/filelock"
	"mbl/internal/regularfile"
)

// presence tells other processes what the running mbl-device knows: a file
// DIR/run.json, valid as long as somebody holds the lock on DIR/run.lock. The
// kernel releases the lock when the process dies, so nothing stale is
// believed; and two of them cannot run on one state.
type presence struct {
	dir  string
	lock *os.File
}

// presenceFile is the content of run.json.
type presenceFile struct {
	PID        int    `json:"pid"`
	Registered bool   `json:"registered"`
	DeviceID   string `json:"device_id"`
}

var errRunning = errors.New("another mbl-device is running on this state")

// announce takes the lock.
func announce(dir string) (*presence, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "run.lock"), os.O_RDWR|os.O_CREATE|regularfile.NoFollow, 0o600)
	if err != nil {
		return nil, err
	}
	if err := takeLock(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	p := &presence{dir: dir, lock: lock}
	if err := p.set(device.State{}); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return p, nil
}

// takeLock tries for a moment: `status` holds the lock while it looks.
func takeLock(lock *os.File) error {
	for range 20 {
		err := filelock.TryLock(lock)
		if !errors.Is(err, filelock.ErrHeld) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errRunning
}

func (p *presence) set(state device.State) error {
	text, err := json.Marshal(presenceFile{os.Getpid(), state.Registered, state.DeviceID})
	if err != nil {
		return err
	}
	return atomicfile.WriteForFolder(filepath.Join(p.dir, "run.json"), append(text, '\n'), 0o644)
}

// withdraw removes the file and releases the lock.
func (p *presence) withdraw() error {
	err := os.Remove(filepath.Join(p.dir, "run.json"))
	return errors.Join(err, p.lock.Close())
}

// isRegistered tells whether a running mbl-device is registered as this
// device.
func isRegistered(dir, deviceID string) bool {
	state, err := readPresence(dir)
	if err != nil || !state.Registered || deviceID == "" || state.DeviceID != deviceID {
		return false
	}
	return isLocked(filepath.Join(dir, "run.lock"))
}

func readPresence(dir string) (presenceFile, error) {
	path := filepath.Join(dir, "run.json")
	info, err := os.Lstat(path)
	if err != nil {
		return presenceFile{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		return presenceFile{}, fmt.Errorf("%s: %w", path, fs.ErrInvalid)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return presenceFile{}, err
	}
	var state presenceFile
	return state, json.Unmarshal(text, &state)
}

func isLocked(path string) bool {
	f, err := os.OpenFile(path, regularfile.OpenFlags|regularfile.NoFollow, 0)
	if err != nil {
		return false
	}
	defer f.Close() // releases the lock if we got it
	return errors.Is(filelock.TryShare(f), filelock.ErrHeld)
}
