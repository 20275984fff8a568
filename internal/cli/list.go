package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/discovery"
)

const listLong = `List the devices that announce themselves on the local networks.

A device announces the service _ssh._tcp by mDNS, with "mblos" in its TXT
record. Devices have three seconds to answer once one of them did.

The numbers can be given to ` + "`mbl-cli select`" + ` for an hour.`

func newListCommand(a *app) *cobra.Command {
	s := newSearch()
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the devices on the network",
		Long:    listLong,
		Example: "  mbl-cli list\n  mbl-cli -o json list --timeout 5s",
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.listFoundDevices(cmd.Context(), s) },
	}
	addTimeout(cmd, &s)
	return cmd
}

func addTimeout(cmd *cobra.Command, s *search) {
	cmd.Flags().DurationVar(&s.timeout, "timeout", s.timeout, "give up after `TIME`, such as 5s, when no device answers")
}

func (a *app) listFoundDevices(ctx context.Context, s search) error {
	live := a.sys.OutTTY && a.flags.output == outputText
	devices, err := a.discover(ctx, s, a.sys.Out, live)
	if err != nil {
		return err
	}
	if len(devices) == 0 {
		a.progress("No devices found!")
		a.progress("hint: is the device on and on the same network? --address names one that cannot be found")
	}
	if live {
		return nil
	}
	return a.print(append([]foundDevice{}, devices...), func(w io.Writer) {
		for i, device := range devices {
			writeFound(w, i+1, device)
		}
	})
}

// discover looks for devices and remembers the numbers they get. Live, it
// writes each device when it answers; else they are sorted by address.
func (a *app) discover(ctx context.Context, s search, w io.Writer, live bool) ([]foundDevice, error) {
	if err := s.checkTimeout(); err != nil {
		return nil, err
	}
	a.progress("Discovering devices. This will take up to %d seconds.", int(s.timeout.Seconds()))
	s.config.Log = a.log()
	number := 0
	if live {
		s.found = func(device discovery.Device) {
			number++
			writeFound(w, number, asFound(device))
		}
	}
	found, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	devices := allFound(found)
	if !live {
		sortFound(devices)
	}
	if err := a.rememberList(devices, time.Now()); err != nil {
		a.log().Warn("the numbers will not be known to select", "error", err)
	}
	return devices, nil
}

func writeFound(w io.Writer, number int, device foundDevice) {
	fmt.Fprintf(w, "%d: %s: %s\n", number, device.Name, device.Address)
}
