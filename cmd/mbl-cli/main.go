// Command mbl-cli is the developer's command line: it finds devices, holds
// keys and certificates, and provisions devices.
package main

import (
	"mbl/internal/cli"
	"mbl/internal/program"
)

func main() { program.Run(cli.Main) }
