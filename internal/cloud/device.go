package cloud

import (
	"context"
	"maps"
	"strconv"
	"time"
	"unicode/utf8"
)

// DeviceState is how far a device has come.
type DeviceState string

// The states a device can be in. The first two are those of an entry made
// before the device came.
const (
	StateUnenrolled     DeviceState = "unenrolled"
	StateCloudEnrolling DeviceState = "cloud_enrolling"

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
	Suspension         Suspension
	CreatedAt          time.Time
	UpdatedAt          time.Time
	Groups             []string // ids of its device groups, in order; read only

	// What users may say of a device and nothing here depends on.
	AutoUpdate   bool
	Deployment   string
	HostGateway  string // id of the gateway it is behind
	Manifest     string // URL
	Mechanism    string // MechanismConnector or MechanismDirect
	MechanismURL string
}

func (d *Device) identity() Identity { return Identity{d.AccountID, d.ID, d.EndpointName} }

// DeviceChanges are what a user may change of a directory entry; nil leaves a
// field as it is. CustomAttributes replaces the whole map.
type DeviceChanges struct {
	Name             *string
	Description      *string
	CustomAttributes map[string]string
	AutoUpdate       *bool
	EndpointType     *string // until the device registers with its own
	HostGateway      *string
	CertificateID    *string // only before the device has bootstrapped
	DeviceKey        *string // only before the device has bootstrapped
}

// Lengths in characters, and numbers of attributes.
const (
	maxDeviceName        = 128
	maxDeviceDescription = 2000
	maxDeviceAttributes  = 5
	maxAttributeLength   = 128
	maxEndpointText      = 64 // endpoint name, endpoint type, serial number
	maxCertificateID     = 500
	maxDeviceKey         = 512
	maxDeviceClass       = 32
	maxVendorID          = 255
	maxDeviceText        = 2000 // texts without a published limit
)

// DeviceFields may be filtered in lists of devices.
func DeviceFields() Fields {
	fields := Fields{
		"device_execution_mode": {Kind: Integer, Operators: equality},
		"auto_update":           {Kind: Boolean, Operators: equality},
		"custom_attributes":     {Kind: Attributes, Operators: either},
		"etag":                  {Kind: Time, Operators: order},
		"issuer_fingerprint":    {Kind: Lower, Operators: equality},

		"lifecycle_status":                   {Kind: Text, Operators: equality},
		"operator_suspended":                 {Kind: Boolean, Operators: either},
		"last_operator_suspended_category":   {Kind: Text, Operators: equality},
		"last_operator_suspended_updated_at": {Kind: Time, Operators: order},
		"system_suspended":                   {Kind: Boolean, Operators: either},
		"last_system_suspended_category":     {Kind: Text, Operators: equality},
		"last_system_suspended_updated_at":   {Kind: Time, Operators: order},
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
		"bootstrapped_timestamp", "created_at", "enrolment_list_timestamp", "manifest_timestamp", "updated_at",
	} {
		fields[name] = Field{Kind: Time, Operators: order}
	}
	for _, name := range []string{"bootstrap_expiration_date", "connector_expiration_date"} {
		fields[name] = Field{Kind: Day, Operators: order}
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
		if err := changes.checkIdentity(ctx, w, device); err != nil {
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
	for _, text := range []struct {
		name  string
		value *string
		limit int
	}{
		{"name", c.Name, maxDeviceName},
		{"endpoint_type", c.EndpointType, maxEndpointText},
		{"host_gateway", c.HostGateway, maxDeviceText},
		{"ca_id", c.CertificateID, maxCertificateID},
		{"device_key", c.DeviceKey, maxDeviceKey},
	} {
		if text.value == nil {
			continue
		}
		if err := checkText(text.name, *text.value, text.limit); err != nil {
			return err
		}
	}
	if c.Description != nil {
		if err := checkDescription(*c.Description, maxDeviceDescription); err != nil {
			return err
		}
	}
	return checkAttributes(c.CustomAttributes, maxDeviceAttributes)
}

func checkAttributes(attributes map[string]string, limit int) error {
	if len(attributes) > limit {
		return RefuseField("custom_attributes", "has more than %d attributes", limit)
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

// checkIdentity wants what a bootstrapped device proved to stay as it is, and
// no two devices with one key.
func (c DeviceChanges) checkIdentity(ctx context.Context, r Reader, device *Device) error {
	newCertificate := c.CertificateID != nil && idOrText(*c.CertificateID) != device.CertificateID
	newKey := c.DeviceKey != nil && *c.DeviceKey != device.DeviceKey
	if !device.BootstrappedAt.IsZero() {
		switch {
		case newCertificate:
			return RefuseField("ca_id", "is known from the device's bootstrap and cannot be changed")
		case newKey:
			return RefuseField("device_key", "is known from the device's bootstrap and cannot be changed")
		}
	}
	if !newKey {
		return nil
	}
	return checkDeviceKey(ctx, r, device.AccountID, *c.DeviceKey)
}

// apply changes the device and returns what is new.
func (c DeviceChanges) apply(device *Device) map[string]string {
	changed := map[string]string{}
	replace := func(name string, field *string, value *string) {
		if value != nil && *value != *field {
			*field, changed[name] = *value, *value
		}
	}
	if c.CertificateID != nil {
		id := idOrText(*c.CertificateID)
		replace("ca_id", &device.CertificateID, &id)
	}
	replace("name", &device.Name, c.Name)
	replace("description", &device.Description, c.Description)
	replace("endpoint_type", &device.EndpointType, c.EndpointType)
	replace("host_gateway", &device.HostGateway, c.HostGateway)
	replace("device_key", &device.DeviceKey, c.DeviceKey)
	if c.AutoUpdate != nil && *c.AutoUpdate != device.AutoUpdate {
		device.AutoUpdate, changed["auto_update"] = *c.AutoUpdate, strconv.FormatBool(*c.AutoUpdate)
	}
	if c.CustomAttributes != nil && !maps.Equal(c.CustomAttributes, device.CustomAttributes) {
		device.CustomAttributes = c.CustomAttributes
		changed["custom_attributes"] = "changed"
	}
	return changed
}

// DeleteDevice deletes a directory entry, which frees its slot. The device
// loses its LwM2M certificate and session; it may bootstrap again, as a new
// device. It returns ErrInvalid for devices that came with another certificate
// than a developer certificate.
func (s *Service) DeleteDevice(ctx context.Context, who Principal, id string) error {
	registered := false
	var device *Device
	err := s.store.Update(ctx, func(w Writer) (err error) {
		if device, err = ownDevice(ctx, w, who, id); err != nil {
			return err
		}
		if device.ExecutionMode != DeveloperMode && !device.BootstrappedAt.IsZero() {
			return Refuse(ErrInvalid, "only devices with a developer certificate can be deleted")
		}
		if registered, err = isRegistered(ctx, w, id); err != nil {
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
	if registered {
		s.watcher.RegistrationEnded(device.identity(), Deregistered)
	}
	s.connections.Disconnect(id)
	return nil
}
