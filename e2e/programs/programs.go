// Package programs lets one test binary be all four programs. It is no part of
// them; only end-to-end tests use it.
package programs

import (
	"mbl/internal/cli"
	"mbl/internal/cloudapp"
	"mbl/internal/deviceapp"
	"mbl/internal/program"
	"mbl/internal/sandbox"
)

// All are the mains of cmd/, for test binaries that are all programs at
// once (testscript.Main).
func All() map[string]func() {
	return map[string]func(){
		"mbl-cli":                  func() { program.Run(cli.Main) },
		"mbl-cloud":                func() { program.Run(cloudapp.Main) },
		"mbl-device":               func() { program.Run(deviceapp.Main) },
		"mbl-sandbox":              func() { program.Run(sandbox.Main) },
		"pelion-provisioning-util": func() { program.Run(deviceapp.Main) },
	}
}
