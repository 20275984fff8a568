package cli

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
)

func newDeviceCommand(a *app) *cobra.Command {
	group := newGroupCommand("device", "Look at the service's devices, and talk with them")
	group.Example = deviceListExamples
	group.AddCommand(
		newDeviceListCommand(a),
		newDeviceShowCommand(a),
		newDeviceReadCommand(a),
		newDeviceWriteCommand(a),
		newDeviceExecCommand(a),
		newDeviceObserveCommand(a),
		newDeviceDeleteCommand(a),
	)
	return group
}

// deviceRow is a device as device list and device show print it.
type deviceRow struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	EndpointName     string            `json:"endpoint_name"`
	EndpointType     string            `json:"endpoint_type,omitempty"`
	State            string            `json:"state"`
	LastSeen         *time.Time        `json:"last_seen"` // when the directory entry last changed
	AccountID        string            `json:"account_id,omitempty"`
	CertificateID    string            `json:"certificate_id,omitempty"`
	VendorID         string            `json:"vendor_id,omitempty"`
	ClassID          string            `json:"class_id,omitempty"`
	SerialNumber     string            `json:"serial_number,omitempty"`
	Description      string            `json:"description,omitempty"`
	CustomAttributes map[string]string `json:"custom_attributes,omitempty"`
	CreatedAt        *time.Time        `json:"created_at"`
	BootstrappedAt   *time.Time        `json:"bootstrapped_at"`
}

func newDeviceRow(d cloudapi.Device) deviceRow {
	return deviceRow{
		ID: d.ID, Name: d.Name, EndpointName: d.EndpointName, EndpointType: d.EndpointType,
		State: d.State, LastSeen: known(d.UpdatedAt), AccountID: d.AccountID, CertificateID: d.CAID,
		VendorID: d.VendorID, ClassID: d.DeviceClass, SerialNumber: d.SerialNumber,
		Description: d.Description, CustomAttributes: d.CustomAttributes,
		CreatedAt: known(d.CreatedAt), BootstrappedAt: known(d.BootstrappedAt),
	}
}

// known is nil for a time the service did not tell.
func known(t cloudapi.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// moment shows a time to a person.
func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format("2006-01-02 15:04:05Z")
}

// deviceLabel is what people know a device by.
func deviceLabel(d cloudapi.Device) string { return cmp.Or(d.Name, d.ID) }

func orDash(text string) string { return cmp.Or(oneLine(text), "-") }
