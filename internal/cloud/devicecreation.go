package cloud

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"mbl/internal/objectid"
)

// The channels by which a device is reached.
const (
	MechanismConnector = "connector"
	MechanismDirect    = "direct"
)

// UnspecifiedMode and ProductionMode are the other device execution modes of
// the original service.
const (
	UnspecifiedMode = 0
	ProductionMode  = 5
)

// DeviceRequest is a directory entry to be made before its device comes; nil
// and zero values are the defaults.
type DeviceRequest struct {
	DeviceChanges
	EndpointName       string
	State              DeviceState // unenrolled by default
	ExecutionMode      int
	IssuerFingerprint  string // SHA-256 in hex
	VendorID           string
	DeviceClass        string
	SerialNumber       string
	Deployment         string
	Manifest           string
	Mechanism          string // connector by default
	MechanismURL       string
	BootstrapExpiresAt time.Time
	ConnectorExpiresAt time.Time
}

var sha256Hex = regexp.MustCompile(`^[A-Fa-f0-9]{64}$`)

// CreateDevice makes a directory entry before its device comes. A device with
// credentials of its own takes it over at its bootstrap, if the entry has its
// endpoint name, execution mode and certificate. It returns ErrInvalid for a request that is not valid,
// ErrConflict if another device has the device key, ErrLimit if the certificate
// that ca_id names has its number of devices.
func (s *Service) CreateDevice(ctx context.Context, who Principal, request DeviceRequest) (*Device, error) {
	if err := request.check(); err != nil {
		return nil, err
	}
	now := s.now()
	device := request.device()
	device.ID, device.AccountID = s.ids.New(), who.AccountID
	device.CreatedAt, device.UpdatedAt = now, now
	if device.Name == "" {
		device.Name = device.ID
	}
	auditNew(ctx, device.ID)
	err := s.store.Update(ctx, func(w Writer) error {
		if err := checkDeviceKey(ctx, w, device.AccountID, device.DeviceKey); err != nil {
			return err
		}
		if err := s.checkSlot(ctx, w, device); err != nil {
			return err
		}
		if err := w.InsertDevice(ctx, device); err != nil {
			return err
		}
		return w.InsertEvent(ctx, s.newEvent(device, EventDeviceCreated))
	})
	return device, err
}

func (r DeviceRequest) check() error {
	if err := r.DeviceChanges.check(); err != nil {
		return err
	}
	for _, text := range []struct {
		name, value string
		limit       int
	}{
		{"endpoint_name", r.EndpointName, maxEndpointText},
		{"serial_number", r.SerialNumber, maxEndpointText},
		{"device_class", idOrText(r.DeviceClass), maxDeviceClass},
		{"vendor_id", r.VendorID, maxVendorID},
		{"deployment", r.Deployment, maxDeviceText},
		{"manifest", r.Manifest, maxDeviceText},
		{"mechanism_url", r.MechanismURL, maxDeviceText},
	} {
		if err := checkText(text.name, text.value, text.limit); err != nil {
			return err
		}
	}
	return r.checkWords()
}

// checkWords checks what is one of a few words.
func (r DeviceRequest) checkWords() error {
	switch r.State {
	case "", StateUnenrolled, StateCloudEnrolling, StateBootstrapped, StateRegistered, StateDeregistered:
	default:
		return RefuseField("state", "is not a state of devices")
	}
	switch r.ExecutionMode {
	case UnspecifiedMode, DeveloperMode, ProductionMode:
	default:
		return RefuseField("device_execution_mode", "is not 0, 1 or 5")
	}
	switch r.Mechanism {
	case "", MechanismConnector, MechanismDirect:
	default:
		return RefuseField("mechanism", "is neither connector nor direct")
	}
	if r.IssuerFingerprint != "" && !sha256Hex.MatchString(r.IssuerFingerprint) {
		return RefuseField("issuer_fingerprint", "is not 64 hex digits")
	}
	return nil
}

func (r DeviceRequest) device() *Device {
	device := &Device{
		EndpointName:       r.EndpointName,
		State:              StateUnenrolled,
		ExecutionMode:      r.ExecutionMode,
		IssuerFingerprint:  strings.ToLower(r.IssuerFingerprint),
		VendorID:           idOrText(r.VendorID),
		DeviceClass:        idOrText(r.DeviceClass),
		SerialNumber:       r.SerialNumber,
		Deployment:         r.Deployment,
		Manifest:           r.Manifest,
		Mechanism:          MechanismConnector,
		MechanismURL:       r.MechanismURL,
		BootstrapExpiresAt: r.BootstrapExpiresAt,
		ConnectorExpiresAt: r.ConnectorExpiresAt,
	}
	if r.State != "" {
		device.State = r.State
	}
	if r.Mechanism != "" {
		device.Mechanism = r.Mechanism
	}
	r.apply(device)
	return device
}

// checkSlot wants a free slot of the trusted certificate that an entry names,
// if there is such a certificate.
func (s *Service) checkSlot(ctx context.Context, r Reader, device *Device) error {
	certificate, err := r.Certificate(ctx, device.CertificateID)
	if errors.Is(err, ErrNotFound) || (err == nil && certificate.AccountID != device.AccountID) {
		return nil
	}
	if err != nil {
		return err
	}
	proved := &proof{
		certificate:   certificate,
		accountID:     certificate.AccountID,
		endpointName:  device.EndpointName,
		executionMode: certificate.ExecutionMode,
	}
	if proved.ofOneDevice() && device.EndpointName == "" {
		return nil // no device will find the entry
	}
	return s.checkDeviceLimit(ctx, r, proved)
}

// checkDeviceKey wants a device key that no device of the account has.
func checkDeviceKey(ctx context.Context, r Reader, accountID, key string) error {
	if key == "" {
		return nil
	}
	taken, err := r.Devices(ctx, accountID, Query{Limit: 1, Conditions: []Condition{where("device_key", key)}})
	if err == nil && len(taken.Items) > 0 {
		return Refuse(ErrConflict, "another device has this device_key")
	}
	return err
}

// idOrText is an id as the service writes it, or the text itself if it is none.
func idOrText(text string) string {
	if id, ok := objectid.Normalize(text); ok {
		return id
	}
	return text
}
