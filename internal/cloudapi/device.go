package cloudapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// Device is an entry of the device directory.
type Device struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	EndpointName     string            `json:"endpoint_name"`
	EndpointType     string            `json:"endpoint_type"`
	State            string            `json:"state"` // unenrolled, cloud_enrolling, bootstrapped, registered, deregistered
	AccountID        string            `json:"account_id"`
	CAID             string            `json:"ca_id"`                 // of the trusted certificate it came with
	ExecutionMode    int               `json:"device_execution_mode"` // 1: it came with a developer certificate
	VendorID         string            `json:"vendor_id"`
	DeviceClass      string            `json:"device_class"`
	SerialNumber     string            `json:"serial_number"`
	FirmwareChecksum string            `json:"firmware_checksum"`
	CustomAttributes map[string]string `json:"custom_attributes"`
	CreatedAt        Time              `json:"created_at"`
	UpdatedAt        Time              `json:"updated_at"`
	BootstrappedAt   Time              `json:"bootstrapped_timestamp"`
}

func (d Device) identity() string { return d.ID }

// DeviceUpdate is what may be changed of a directory entry; nil leaves a field
// as it is.
type DeviceUpdate struct {
	Name             *string           `json:"name,omitempty"`
	Description      *string           `json:"description,omitempty"`
	CustomAttributes map[string]string `json:"custom_attributes,omitempty"`
}

// Devices lists the device directory. filter holds query parameters such as
// state__eq; nil lists all.
func (c *Client) Devices(ctx context.Context, filter url.Values) iter.Seq2[Device, error] {
	return list[Device](ctx, c, "/v3/devices/", filter)
}

// CountDevices is how many devices of the directory fit the filter.
func (c *Client) CountDevices(ctx context.Context, filter url.Values) (int, error) {
	number, err := countItems[Device](ctx, c, "/v3/devices/", filter)
	if err != nil {
		return 0, fmt.Errorf("cannot count the devices: %w", err)
	}
	return number, nil
}

// DevicesOf is the filter for the devices that came with a trusted certificate.
func DevicesOf(certificateID string) url.Values { return url.Values{"ca_id__eq": {certificateID}} }

// Device reads one entry of the directory.
func (c *Client) Device(ctx context.Context, id string) (*Device, error) {
	return c.device(ctx, http.MethodGet, id, nil)
}

// UpdateDevice changes an entry of the directory and returns it as it is now.
func (c *Client) UpdateDevice(ctx context.Context, id string, update DeviceUpdate) (*Device, error) {
	return c.device(ctx, http.MethodPut, id, update)
}

func (c *Client) device(ctx context.Context, method, id string, body any) (*Device, error) {
	var device Device
	err := c.call(ctx, method, "/v3/devices/"+url.PathEscape(id)+"/", nil, body, &device)
	if err == nil && device.ID == "" {
		err = &NotServiceError{URL: c.base}
	}
	if err != nil {
		return nil, fmt.Errorf("the device %s: %w", id, err)
	}
	return &device, nil
}
