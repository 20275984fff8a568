package sandbox

import (
	"errors"
	"io/fs"

	"mbl/internal/sandbox/devicetree"
)

const (
	hostnameFile = "/etc/hostname"
	utilFile     = "/opt/arm/pelion-provisioning-util"
	programFile  = "/usr/bin/mbl-device"
)

// programStub lies where a real device has a program: the shell looks for a
// file there before it runs the real one.
const programStub = "#!/bin/sh\n# The sandbox runs the real program in this file's place.\n"

// furnish puts into a tree what a device has when it is switched on. What is
// there already stays, but for the name.
func furnish(tree *devicetree.Tree, name string) error {
	for _, dir := range []string{"/etc", "/home/root", "/opt/arm", "/run/mbl-device", "/scratch", "/tmp", "/usr/bin", "/var/lib", "/var/log"} {
		if err := tree.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := tree.WriteFile(hostnameFile, []byte(name+"\n"), 0o644); err != nil {
		return err
	}
	for _, file := range []string{utilFile, programFile} {
		if _, err := tree.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := tree.WriteFile(file, []byte(programStub), 0o755); err != nil {
			return err
		}
	}
	return nil
}
