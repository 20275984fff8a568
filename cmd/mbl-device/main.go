// Command mbl-device is the program on the device: secure storage, LwM2M
// bootstrap and registration. It also answers to pelion-provisioning-util.
package main

import (
	"mbl/internal/deviceapp"
	"mbl/internal/program"
)

func main() { program.Run(deviceapp.Main) }
