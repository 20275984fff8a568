package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
	"mbl/internal/discovery"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const selectLong = `Choose the device that commands work with until another one is chosen.

A number means the list last shown by ` + "`mbl-cli list`" + ` or ` + "`mbl-cli select`" + `. The device
must answer now; of its addresses the first that accepts a connection is kept,
in ~/.mbl-dev.json.`

func newSelectCommand(a *app) *cobra.Command {
	s := newSearch()
	cmd := &cobra.Command{
		Use:     "select [INDEX|NAME]",
		Short:   "Choose the device to work with",
		Long:    selectLong,
		Example: "  mbl-cli select\n  mbl-cli select 1\n  mbl-cli select mbed-linux-os-9999",
		Args:    takes("[INDEX|NAME]"),

		ValidArgsFunction: a.completeFound,
		RunE: func(cmd *cobra.Command, args []string) error {
			device, err := a.chooseDevice(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			return a.keepSelection(cmd.Context(), device)
		},
	}
	addTimeout(cmd, &s)
	return cmd
}

func (a *app) chooseDevice(ctx context.Context, s search, args []string) (foundDevice, error) {
	if len(args) > 0 {
		return a.findNamed(ctx, s, args[0])
	}
	if !a.interactive() {
		return foundDevice{}, usererr.Usage("which device?").
			WithHint("there is no terminal to ask on: `mbl-cli list` shows the devices, `mbl-cli select NAME` chooses one")
	}
	devices, err := a.discover(ctx, s, a.sys.Err, true)
	if err != nil {
		return foundDevice{}, err
	}
	if len(devices) == 0 {
		return foundDevice{}, noDevices()
	}
	return a.askWhich(ctx, devices)
}

func noDevices() error {
	return usererr.Failure("No devices found!").
		WithHint("is the device on and on the same network? --address names one that cannot be found")
}

func (a *app) askWhich(ctx context.Context, devices []foundDevice) (foundDevice, error) {
	for {
		answer, err := a.ask(ctx, "\nSelect a device from the list: ")
		if err != nil {
			return foundDevice{}, err
		}
		if answer == "" {
			return foundDevice{}, usererr.Failure("no device was selected")
		}
		if device, ok := pick(devices, answer); ok {
			return device, nil
		}
		fmt.Fprintf(a.sys.Err, "%q is not in the list; give a number from 1 to %d, or nothing to leave it\n", answer, len(devices))
	}
}

// pick is the device of a list with the number or name given.
func pick(devices []foundDevice, wanted string) (foundDevice, bool) {
	if number, err := strconv.Atoi(wanted); err == nil && number >= 1 && number <= len(devices) {
		return devices[number-1], true
	}
	at := slices.IndexFunc(devices, func(d foundDevice) bool { return d.Name == wanted })
	if at < 0 {
		return foundDevice{}, false
	}
	return devices[at], true
}

// findNamed looks for the device with a name, or with a number of the list
// last shown, until it answers.
func (a *app) findNamed(ctx context.Context, s search, wanted string) (foundDevice, error) {
	last, err := a.recallList(time.Now())
	if err != nil {
		return foundDevice{}, err
	}
	name := wanted
	if remembered, ok := pick(last, wanted); ok {
		name = remembered.Name
	} else if _, err := strconv.Atoi(wanted); err == nil && len(last) == 0 {
		return a.findNumbered(ctx, s, wanted)
	}
	s.config.Log = a.log()
	s.enough = func(device discovery.Device) bool { return device.Name == name && len(device.Addresses) > 0 }
	a.progress("Looking for %s. This will take up to %d seconds.", name, int(s.timeout.Seconds()))
	found, err := s.run(ctx)
	if err != nil {
		return foundDevice{}, err
	}
	for _, device := range found {
		if device.Name == name {
			return asFound(device), nil
		}
	}
	return foundDevice{}, notFound(name)
}

// findNumbered: a number, and no list was shown lately.
func (a *app) findNumbered(ctx context.Context, s search, wanted string) (foundDevice, error) {
	devices, err := a.discover(ctx, s, a.sys.Err, true)
	if err != nil {
		return foundDevice{}, err
	}
	if len(devices) == 0 {
		return foundDevice{}, noDevices()
	}
	if device, ok := pick(devices, wanted); ok {
		return device, nil
	}
	return foundDevice{}, notFound(wanted)
}

func notFound(name string) error {
	return usererr.Failure("no device %s was found", name).
		WithHint("`mbl-cli list` shows the devices that answer now")
}

// keepSelection keeps the device with the first of its addresses that can be
// reached.
func (a *app) keepSelection(ctx context.Context, device foundDevice) error {
	address := reachable(ctx, device.Addresses)
	if address == "" {
		address = device.Address
		a.progress("warning: %s does not accept connections yet", device.Name)
	}
	path, err := a.selectionFile()
	if err != nil {
		return err
	}
	selection := credstore.Selection{Hostname: device.Name, Address: address, Username: ssh.DefaultUser}
	if err := credstore.SaveSelection(path, selection); err != nil {
		return err
	}
	device.Address = address
	return a.print(device, func(w io.Writer) { fmt.Fprintf(w, "Selected %s (%s)\n", device.Name, address) })
}

// connectTime is how long an address has to accept a connection.
const connectTime = 2 * time.Second

// reachable is the first address that accepts a connection; none: "".
func reachable(ctx context.Context, addresses []string) string {
	dialer := net.Dialer{Timeout: connectTime}
	for _, address := range addresses {
		target, err := ssh.ParseTarget(address)
		if err != nil {
			continue
		}
		port := target.Port
		if port == 0 {
			port = ssh.DefaultPort
		}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(target.Address(), strconv.Itoa(int(port))))
		if err == nil {
			conn.Close()
			return address
		}
	}
	return ""
}
