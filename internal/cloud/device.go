package cloud

import (
	"context"
	"errors"
	"maps"
	"time"
	"unicode/utf8"
)

// DeviceState is how far a device has come.
type DeviceState string

// The states a device of this service can be in.
const (
	StateBootstrapped DeviceState = "bootstrapped"
	StateRegistered   DeviceState = "registered"
	StateDeregistered DeviceState = "deregistered"
)

// Device is an entry of the device directory. Its id is the device's internal
// endpoint name; endpoint names are not unique.
type Device struct {
	ID                 string
	AccountID          string
	EndpointName       string
	EndpointType       string
	Name               string
	Description        string
	CustomAttributes   map[string]string
	State              DeviceState
	ExecutionMode      int
	CertificateID      string // the trusted certificate it came with
	IssuerFingerprint  string // of that certificate
	DeviceKey          string // fingerprint of its LwM2M certificate, AB:CD:…
	VendorID           string // 32 hex digits; empty if the device did not say
	DeviceClass        string // 32 hex digits; empty if the device did not say
	SerialNumber       string
	BootstrappedAt     time.Time
	BootstrapExpiresAt time.Time // when its bootstrap certificate ends
	ConnectorExpiresAt time.Time // when its LwM2M certificate ends
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// DeviceChanges are what a user may change of a directory entry; nil leaves a
// field as it is. CustomAttributes replaces the whole map.
type DeviceChanges struct {
	Name             *string
	Description      *string
	CustomAttributes map[string]string
}

const (
	maxDeviceName        = 128
	maxDeviceDescription = 2000
	maxDeviceAttributes  = 5
	maxAttributeLength   = 128
)

// DeviceFields may be filtered in lists of devices.
func DeviceFields() Fields {
	fields := Fields{
		"device_execution_mode": {Kind: Integer, Operators: equality},
		"auto_update":           {Kind: Boolean, Operators: either},
		"custom_attributes":     {Kind: Attributes, Operators: either},
		"etag":                  {Kind: Time, Operators: append([]Operator{LessEqual, GreaterEqual}, equality...)},
	}
	for _, name := range []string{"account_id", "ca_id", "device_class", "id", "vendor_id"} {
		fields[name] = Field{Kind: ID, Operators: equality}
	}
	for _, name := range []string{
		"deployed_state", "deployment", "description", "device_key", "endpoint_name", "endpoint_type",
		"firmware_checksum", "host_gateway", "manifest", "mechanism", "mechanism_url", "name", "serial_number", "state",
	} {
		fields[name] = Field{Kind: Text, Operators: equality}
	}
	for _, name := range []string{
		"bootstrap_expiration_date", "bootstrapped_timestamp", "connector_expiration_date", "created_at",
		"enrolment_list_timestamp", "manifest_timestamp", "updated_at",
	} {
		fields[name] = Field{Kind: Time, Operators: period}
	}
	return fields
}

// Devices lists the account's devices.
func (s *Service) Devices(ctx context.Context, who Principal, query Query) (Page[*Device], error) {
	return s.store.Devices(ctx, who.AccountID, query)
}

// Device reads a directory entry.
func (s *Service) Device(ctx context.Context, who Principal, id string) (*Device, error) {
	return ownDevice(ctx, s.store, who, id)
}

func ownDevice(ctx context.Context, r Reader, who Principal, id string) (*Device, error) {
	device, err := r.Device(ctx, id)
	if err != nil {
		return nil, err
	}
	if device.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return device, nil
}

// UpdateDevice changes a directory entry.
func (s *Service) UpdateDevice(ctx context.Context, who Principal, id string, changes DeviceChanges) (device *Device, err error) {
	if err := changes.check(); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if device, err = ownDevice(ctx, w, who, id); err != nil {
			return err
		}
		event := s.newEvent(device, EventDeviceUpdated)
		event.Changes = changes.apply(device)
		if len(event.Changes) == 0 {
			return nil
		}
		device.UpdatedAt = event.At
		if err := w.UpdateDevice(ctx, device); err != nil {
			return err
		}
		return w.InsertEvent(ctx, event)
	})
	return device, err
}

func (c DeviceChanges) check() error {
	if c.Name != nil {
		if utf8.RuneCountInString(*c.Name) > maxDeviceName {
			return RefuseField("name", "is longer than %d characters", maxDeviceName)
		}
		if !printable(*c.Name) {
			return RefuseField("name", "holds control characters")
		}
	}
	if c.Description != nil {
		if err := checkDescription(*c.Description, maxDeviceDescription); err != nil {
			return err
		}
	}
	return checkAttributes(c.CustomAttributes)
}

func checkAttributes(attributes map[string]string) error {
	if len(attributes) > maxDeviceAttributes {
		return RefuseField("custom_attributes", "has more than %d attributes", maxDeviceAttributes)
	}
	for name, value := range attributes {
		if !attributeName.MatchString(name) {
			return RefuseField("custom_attributes", "has a name that does not begin with a letter or is longer than %d characters", maxAttributeLength)
		}
		if utf8.RuneCountInString(value) > maxAttributeLength || !printable(value) {
			return RefuseField("custom_attributes", "has a value with control characters or longer than %d characters", maxAttributeLength)
		}
	}
	return nil
}

// apply changes the device and returns what is new.
func (c DeviceChanges) apply(device *Device) map[string]string {
	changed := map[string]string{}
	if c.Name != nil && *c.Name != device.Name {
		device.Name, changed["name"] = *c.Name, *c.Name
	}
	if c.Description != nil && *c.Description != device.Description {
		device.Description, changed["description"] = *c.Description, *c.Description
	}
	if c.CustomAttributes != nil && !maps.Equal(c.CustomAttributes, device.CustomAttributes) {
		device.CustomAttributes = c.CustomAttributes
		changed["custom_attributes"] = "changed"
	}
	return changed
}

// DeleteDevice deletes a directory entry, which frees its slot. The device
// loses its LwM2M certificate and session; it may bootstrap again, as a new
// device. It returns ErrInvalid for devices without a developer certificate.
func (s *Service) DeleteDevice(ctx context.Context, who Principal, id string) error {
	registered := false
	err := s.store.Update(ctx, func(w Writer) error {
		device, err := ownDevice(ctx, w, who, id)
		if err != nil {
			return err
		}
		if device.ExecutionMode != DeveloperMode {
			return Refuse(ErrInvalid, "only devices with a developer certificate can be deleted")
		}
		_, err = w.Registration(ctx, id)
		if registered = err == nil; err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := w.RevokeDeviceCertificates(ctx, id, s.now()); err != nil {
			return err
		}
		if err := w.DeleteDevice(ctx, id); err != nil {
			return err
		}
		return w.InsertEvent(ctx, s.newEvent(device, EventDeviceDeleted))
	})
	if err != nil {
		return err
	}
	s.connections.Disconnect(id)
	if registered {
		s.watcher.RegistrationEnded(who.AccountID, id, false)
	}
	return nil
}
