package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
	"mbl/internal/discovery"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const selectLong = `Choose the device that commands work with until another one is chosen.

A number means the list last shown by ` + "`mbl-cli list`" + ` or ` + "`mbl-cli select`" + `; a
name is the one shown there, or the host name. Of several devices that share a
name, give the number or the address. The device must answer now; of its
addresses the first that accepts a connection is kept, in ~/.mbl-dev.json.`

func newSelectCommand(a *app) *cobra.Command {
	s := newSearch()
	var dryRun bool
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
			return a.keepSelection(cmd.Context(), device, dryRun)
		},
	}
	addTimeout(cmd, &s)
	addDryRunFlag(cmd, &dryRun)
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
		device, ok, err := pick(devices, answer)
		if ok {
			return device, nil
		}
		if err != nil {
			fmt.Fprintf(a.sys.Err, "%v; give a number\n", err)
			continue
		}
		fmt.Fprintf(a.sys.Err, "%q is not in the list; give a number from 1 to %d, or nothing to leave it\n", answer, len(devices))
	}
}

// findNamed looks for the device with a name, or with a number of the list
// last shown, until it answers.
func (a *app) findNamed(ctx context.Context, s search, wanted string) (foundDevice, error) {
	last, err := a.recallList(time.Now())
	if err != nil {
		return foundDevice{}, err
	}
	listed, ok, err := pick(last, wanted)
	_, notNumber := strconv.Atoi(wanted)
	switch {
	case err != nil:
		return foundDevice{}, err
	case ok:
		return a.findListed(ctx, s, last, listed)
	case notNumber == nil && len(last) == 0:
		return a.findNumbered(ctx, s, wanted)
	case notNumber == nil:
		return foundDevice{}, usererr.Failure("the list last shown has no device %s, it has %s", wanted, counted(len(last), "device")).
			WithHint("`mbl-cli list` shows the devices that answer now")
	}
	s.enough = func(device discovery.Device) bool {
		return len(device.Addresses) > 0 && asFound(device).goesBy(wanted) > 0
	}
	found, err := a.lookFor(ctx, s, wanted)
	if err != nil {
		return foundDevice{}, err
	}
	device, ok, err := pick(found, wanted)
	if err == nil && !ok {
		err = notFound(wanted)
	}
	return device, err
}

// findListed looks for a device of the list last shown.
func (a *app) findListed(ctx context.Context, s search, last []foundDevice, listed foundDevice) (foundDevice, error) {
	shared := len(named(last, listed.Name)) > 1
	s.enough = func(device discovery.Device) bool {
		return len(device.Addresses) > 0 && asFound(device).sameAs(listed, shared)
	}
	found, err := a.lookFor(ctx, s, listed.Name)
	if err != nil {
		return foundDevice{}, err
	}
	var alike []int
	for i, device := range found {
		if device.sameAs(listed, true) {
			return device, nil
		}
		if device.sameAs(listed, shared) {
			alike = append(alike, i+1)
		}
	}
	switch len(alike) {
	case 0:
		return foundDevice{}, notFound(listed.Name)
	case 1: // it has other links and addresses now
		return found[alike[0]-1], nil
	default:
		return foundDevice{}, namesakes(found, alike, listed.Name)
	}
}

func (a *app) lookFor(ctx context.Context, s search, name string) ([]foundDevice, error) {
	if err := s.checkTimeout(); err != nil {
		return nil, err
	}
	s.config.Log = a.log()
	a.progress("Looking for %s. This will take up to %d seconds.", name, int(s.timeout.Seconds()))
	found, err := s.run(ctx)
	return allFound(found), err
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
	device, ok, err := pick(devices, wanted)
	if err == nil && !ok {
		err = notFound(wanted)
	}
	return device, err
}

func notFound(name string) error {
	return usererr.Failure("no device %s was found", name).
		WithHint("`mbl-cli list` shows the devices that answer now")
}

// selectedDevice is what select prints.
type selectedDevice struct {
	foundDevice
	DryRun bool `json:"dry_run"`
}

// keepSelection keeps the device with the first of its addresses that can be
// reached.
func (a *app) keepSelection(ctx context.Context, device foundDevice, dryRun bool) error {
	address := reachable(ctx, device.Addresses)
	if address == "" {
		address = device.Address
		a.progress("warning: %s does not accept connections yet", device.Name)
	}
	device.Address = address
	if !dryRun {
		if err := a.saveSelection(device); err != nil {
			return err
		}
	}
	return a.print(selectedDevice{device, dryRun}, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s (%s)\n", didOrWould(dryRun, "Selected", "Would select"), device.Name, address)
	})
}

func (a *app) saveSelection(device foundDevice) error {
	path, err := a.selectionFile()
	if err != nil {
		return err
	}
	return credstore.SaveSelection(path, credstore.Selection{Hostname: device.Name, Address: device.Address, Username: ssh.DefaultUser})
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
