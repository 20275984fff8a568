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
  mbl-device run [--tpm PATH|auto] [--lifetime DURATION] [--keep-alive DURATION] [--retry-base DURATION]
                 [--reboot-command COMMAND] [--applications SOCKET [--applications-group GROUP]]
                 [--announce PORT]
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
  --tpm PATH|auto                Seal the storage's key to this TPM 2.0, or to /dev/tpmrm0 if there is one.
                                 A key that is sealed stays so without it.
  --verbose                      With --get-pelion-status: show warnings too. With run: log more.
  --server URI                   The server to try without credentials (coaps://HOST:PORT).
  --lifetime DURATION            Registration lifetime (default: what the server wrote, else 1h).
  --keep-alive DURATION          Time between signs of life (default 25s).
  --retry-base DURATION          Time before the first retry (default 10s).
  --applications SOCKET          Let programs on the device publish resources over this Unix socket.
  --applications-group GROUP     Let the members of this group use it too.
  --announce PORT                Make the board known to mbl-cli by mDNS, with its SSH server on that port.
                                 Where another program does mDNS (avahi-daemon), nothing is announced.
  --reboot-command COMMAND       What the server's Reboot runs, by /bin/sh (default: it is refused).
`
)

func printUsage(sys *iostreams.System) {
	if sys.Name == utilName {
		fmt.Fprint(sys.Out, utilUsage)
		return
	}
	fmt.Fprint(sys.Out, deviceUsage)
}
