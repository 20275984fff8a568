package stage

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Device is a running `mbl-sandbox device`.
type Device struct {
	*Process
	Root    string // its file tree
	Address string // host:port of its SSH server
}

// StartDevice runs a virtual device on the tree root until it can be reached.
func StartDevice(program, name, root string, opts Options, flags ...string) (*Device, error) {
	d := &Device{Root: root}
	runFile := filepath.Join(root, "run.json")
	if err := os.RemoveAll(runFile); err != nil { // a killed one's
		return nil, err
	}
	command := append([]string{program, "device", "--root", root, "--ssh", "127.0.0.1:0", "--name", name}, flags...)
	var err error
	if d.Process, err = Start(name, command, opts); err != nil {
		return nil, err
	}
	err = d.Until("run.json appeared", func() bool {
		var run struct {
			SSH string `json:"ssh"`
		}
		ok := readJSON(runFile, &run)
		d.Address = run.SSH
		return ok
	})
	if err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

// readJSON tells whether a file is there and whole.
func readJSON(file string, v any) bool {
	content, err := os.ReadFile(file)
	return err == nil && json.Unmarshal(content, v) == nil
}
