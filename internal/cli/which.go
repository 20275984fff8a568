package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newWhichCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "which",
		Short:   "Show the chosen device",
		Long:    "Show the device that commands work with: the one of --address or -c, else the\nselected one.",
		Example: "  mbl-cli which\n  mbl-cli -a 192.0.2.7 which",
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return a.which() },
	}
}

// chosenDevice is a device as "which" shows it.
type chosenDevice struct {
	Hostname string `json:"hostname,omitempty"`
	Address  string `json:"address,omitempty"`
	Alias    string `json:"config_hostname,omitempty"`
	User     string `json:"username,omitempty"`
}

func (a *app) which() error {
	devices, err := a.chosenDevices()
	if err != nil {
		return err
	}
	return a.print(devices, func(w io.Writer) {
		for _, device := range devices {
			fmt.Fprintln(w, device)
		}
	})
}

func (a *app) chosenDevices() ([]chosenDevice, error) {
	if len(a.flags.addresses) == 0 && a.flags.configHostname == "" {
		selection, err := a.selection()
		if err != nil {
			return nil, err
		}
		return []chosenDevice{{Hostname: selection.Hostname, Address: selection.Address, User: selection.Username}}, nil
	}
	targets, err := a.targets()
	if err != nil {
		return nil, err
	}
	var devices []chosenDevice
	for i, target := range targets {
		device := chosenDevice{Alias: target.Alias, User: target.User}
		if i < len(a.flags.addresses) {
			device.Address = a.flags.addresses[i]
		}
		devices = append(devices, device)
	}
	return devices, nil
}

func (d chosenDevice) String() string {
	switch {
	case d.Hostname != "":
		return fmt.Sprintf("%s (%s)", d.Hostname, d.Address)
	case d.Address != "" && d.Alias != "":
		return fmt.Sprintf("%s (as %s in the SSH configuration)", d.Address, d.Alias)
	case d.Address != "":
		return d.Address
	}
	return d.Alias + " in the SSH configuration"
}
