package deviceapp

import (
	"fmt"

	"mbl/internal/iostreams"
)

// The original's usage text, and ours. Both go to stdout, as there.
const (
	utilUsage = `Usage:
  pelion-provisioning-util [option]


Options:
  --provision                    Store the credentials in /scratch/provisioning-certs.
  --get-pelion-status            Get the Pelion status of the device.
  --help                         Show this message and exit.
`
	deviceUsage = `Usage:
  mbl-device run [--lifetime DURATION] [--keep-alive DURATION] [--retry-base DURATION]
  mbl-device status [--json]
  mbl-device check-server [--json] [--server URI]
  mbl-device [option]

Commands:
  run                            Connect to the service and stay connected.
  status                         Say whether the device is provisioned and registered.
  check-server                   Say whether the bootstrap server can be reached.

Options:
  --provision                    Store the credentials in /scratch/provisioning-certs.
  --get-pelion-status            Get the Pelion status of the device.
  --help                         Show this message and exit.
  --version                      Show the version and exit.
  --state DIR                    Keep the device's state here (default /var/lib/mbl-device).
  --credentials DIR              Read the credentials from here (default /scratch/provisioning-certs).
  --verbose                      With --get-pelion-status: show warnings too. With run: log more.
  --server URI                   The server to try without credentials (coaps://HOST:PORT).
  --lifetime DURATION            Registration lifetime (default: what the server wrote, else 1h).
  --keep-alive DURATION          Time between signs of life (default 25s).
  --retry-base DURATION          Time before the first retry (default 10s).
`
)

func printUsage(sys *iostreams.System) {
	if sys.Name == utilName {
		fmt.Fprint(sys.Out, utilUsage)
		return
	}
	fmt.Fprint(sys.Out, deviceUsage)
}
