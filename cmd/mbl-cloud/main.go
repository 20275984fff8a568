// Command mbl-cloud is the self-hosted Device Management service.
package main

import (
	"mbl/internal/cloudapp"
	"mbl/internal/program"
)

func main() { program.Run(cloudapp.Main) }
