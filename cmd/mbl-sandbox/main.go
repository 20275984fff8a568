// Command mbl-sandbox runs a service, virtual devices and the CLI on one
// machine, for trying things out and for CI.
package main

import (
	"mbl/internal/program"
	"mbl/internal/sandbox"
)

func main() { program.Run(sandbox.Main) }
