package cloudapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

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

	// As devices from before a rotation know them.
	BootstrapEarlier string `json:"bootstrap_earlier,omitempty"`
	LwM2MEarlier     string `json:"lwm2m_earlier,omitempty"`
}

// LogValue names what is served, each address under its own name.
func (a addresses) LogValue() slog.Value {
	served := []slog.Attr{
		slog.String("http", a.HTTP), slog.String("https", a.HTTPS), slog.String("bootstrap", a.Bootstrap), slog.String("lwm2m", a.LwM2M), slog.String("download", a.Download),
		slog.String("bootstrap-earlier", a.BootstrapEarlier), slog.String("lwm2m-earlier", a.LwM2MEarlier),
	}
	return slog.GroupValue(slices.DeleteFunc(served, func(each slog.Attr) bool { return each.Value.String() == "" })...)
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
