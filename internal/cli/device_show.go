package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/objectid"
	"mbl/internal/usererr"
)

func newDeviceShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID|NAME",
		Short: "Show one device of the service",
		Example: `  mbl-cli device show 0190f2a5c3de0242ac12000200000001
  mbl-cli device show my-board
  mbl-cli -o json device show my-board`,
		Args:              takes("ID or NAME"),
		ValidArgsFunction: a.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showDevice(cmd.Context(), args[0])
		},
	}
}

func (a *app) showDevice(ctx context.Context, named string) error {
	client, err := a.service(ctx)
	if err != nil {
		return err
	}
	device, err := findDevice(ctx, client, named)
	if err != nil {
		return err
	}
	row := newDeviceRow(*device)
	return a.print(row, func(w io.Writer) { writeDevice(w, row) })
}

// findDevice looks a device up by its id, else by its name, else by its
// endpoint name, which several devices may share.
func findDevice(ctx context.Context, client *cloudapi.Client, named string) (*cloudapi.Device, error) {
	if id, ok := objectid.Normalize(named); ok {
		device, err := client.Device(ctx, id)
		if !errors.Is(err, cloudapi.ErrNotFound) || errors.Is(err, cloudapi.ErrNotService) {
			return device, err
		}
	}
	for _, field := range []string{"name__eq", "endpoint_name__eq"} {
		device, err := onlyDevice(ctx, client, url.Values{field: {named}}, named)
		if device != nil || err != nil {
			return device, err
		}
	}
	return nil, usererr.Failure("the service has no device %q", named).WithHint("`mbl-cli device list` shows its devices")
}

// onlyDevice is the one device that fits, nil if there is none.
func onlyDevice(ctx context.Context, client *cloudapi.Client, filter url.Values, named string) (*cloudapi.Device, error) {
	var found *cloudapi.Device
	for device, err := range client.Devices(ctx, filter) {
		if err != nil {
			return nil, fmt.Errorf("cannot look for the device %q: %w", named, err)
		}
		if found != nil {
			return nil, usererr.Failure("several devices are called %q", named).WithHint("name it by its id; `mbl-cli device list` shows them")
		}
		found = &device
	}
	return found, nil
}

func writeDevice(w io.Writer, row deviceRow) {
	lines := [][2]string{
		{"id", row.ID},
		{"name", row.Name},
		{"endpoint name", row.EndpointName},
		{"state", row.State},
		{"last seen", moment(row.LastSeen)},
		{"bootstrapped", moment(row.BootstrappedAt)},
		{"created", moment(row.CreatedAt)},
		{"endpoint type", row.EndpointType},
		{"vendor id", row.VendorID},
		{"class id", row.ClassID},
		{"serial number", row.SerialNumber},
		{"certificate id", row.CertificateID},
		{"account id", row.AccountID},
		{"description", row.Description},
	}
	for _, line := range lines {
		fmt.Fprintf(w, "%s\t%s\n", line[0], orDash(line[1]))
	}
	for _, name := range slices.Sorted(maps.Keys(row.CustomAttributes)) {
		fmt.Fprintf(w, "%s\t%s\n", orDash(name), orDash(row.CustomAttributes[name]))
	}
}
