package stage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Service is a running mbl-cloud.
type Service struct {
	*Process
	Addresses
	Data    string // its data folder
	program string
	opts    Options
}

// Addresses is what mbl-cloud writes to run.json once it accepts connections.
type Addresses struct {
	HTTP      string `json:"http"`
	HTTPS     string `json:"https"`
	CA        string `json:"ca"`
	Bootstrap string `json:"bootstrap"`
	LwM2M     string `json:"lwm2m"`
	Download  string `json:"download"`
	PID       int    `json:"pid"`
}

// ServiceFlags make a service listen on free ports of the loopback interface.
func ServiceFlags() []string {
	return []string{
		"--http", "127.0.0.1:0", "--bootstrap", "127.0.0.1:0",
		"--lwm2m", "127.0.0.1:0", "--download", "127.0.0.1:0", "--host", "127.0.0.1",
	}
}

// StartService runs `mbl-cloud serve` on a data folder until it is ready.
// Without flags it takes ServiceFlags.
func StartService(program, data string, opts Options, flags ...string) (*Service, error) {
	if len(flags) == 0 {
		flags = ServiceFlags()
	}
	s := &Service{Data: data, program: program, opts: opts}
	runFile := filepath.Join(data, "run.json")
	// A killed service leaves its addresses behind; they are not the new one's.
	if err := os.RemoveAll(runFile); err != nil {
		return nil, err
	}
	command := append([]string{program, "serve", "--data", data}, flags...)
	var err error
	if s.Process, err = Start("mbl-cloud", command, opts); err != nil {
		return nil, err
	}
	err = s.Until("run.json appeared", func() bool { return readJSON(runFile, &s.Addresses) })
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// NewKey makes an API key through `mbl-cloud api-key create`.
func (s *Service) NewKey(name, group string) (string, error) {
	command := s.opts.command(s.program, "api-key", "create", "--data", s.Data, "--name", name, "--group", group)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = s.opts.Dir, s.opts.Env
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot make an API key: %w\n%s", err, stderrOf(err))
	}
	return strings.TrimSpace(string(out)), nil
}

func stderrOf(err error) string {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it unwrapped
		return string(exit.Stderr)
	}
	return ""
}
