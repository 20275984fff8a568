package cloudapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"mbl/internal/atomicfile"
)

// addresses are what run.json tells other programs about a running service.
type addresses struct {
	HTTP      string `json:"http,omitempty"`
	HTTPS     string `json:"https,omitempty"`
	CA        string `json:"ca,omitempty"` // file with the CA of HTTPS, if the service made it
	Bootstrap string `json:"bootstrap,omitempty"`
	LwM2M     string `json:"lwm2m,omitempty"`
	Download  string `json:"download,omitempty"`
	PID       int    `json:"pid"`
}

func (f folder) writeRun(running addresses) error {
	text, err := json.MarshalIndent(running, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(f.run(), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot say where the service runs: %w", err)
	}
	return nil
}

// removeRun removes run.json, also one that a killed service left behind.
func (f folder) removeRun() error {
	if err := os.Remove(f.run()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
