package cloud

import (
	"context"
	"time"
)

// Store is the service's memory. Reads see what was committed. Missing things
// are ErrNotFound, broken uniqueness is ErrConflict, each possibly wrapped;
// every other error is a fault of the store.
type Store interface {
	Reader
	// Update runs change in one transaction, which is committed if change
	// returns nil and leaves nothing behind otherwise. What was committed
	// survives a power loss. change must use its Writer only and may be run
	// by one caller at a time.
	Update(ctx context.Context, change func(Writer) error) error
}

// Reader reads.
type Reader interface {
	AccountReader
	APIKeyReader
	AuthorityReader
	CertificateReader
	DeviceReader
	DeviceCertificateReader
	RegistrationReader
	EventReader
}

// Writer reads and writes within one transaction.
type Writer interface {
	Reader
	AccountWriter
	APIKeyWriter
	AuthorityWriter
	CertificateWriter
	DeviceWriter
	DeviceCertificateWriter
	RegistrationWriter
	EventWriter
	AuditWriter
}

// AccountReader reads accounts.
type AccountReader interface {
	Account(ctx context.Context, id string) (*Account, error)
	// FirstAccount is the oldest account, the one made at first start.
	FirstAccount(ctx context.Context) (*Account, error)
}

// AccountWriter writes accounts.
type AccountWriter interface {
	InsertAccount(ctx context.Context, account *Account) error
}

// APIKeyReader reads API keys.
type APIKeyReader interface {
	APIKey(ctx context.Context, id string) (*APIKey, error)
	// APIKeys lists an account's keys. Fields: id, owner.
	APIKeys(ctx context.Context, accountID string, query Query) (Page[*APIKey], error)
}

// APIKeyWriter writes API keys.
type APIKeyWriter interface {
	InsertAPIKey(ctx context.Context, key *APIKey) error
	UpdateAPIKey(ctx context.Context, key *APIKey) error
	TouchAPIKey(ctx context.Context, id string, usedAt time.Time) error
	DeleteAPIKey(ctx context.Context, id string) error
}

// AuthorityReader reads the service's certificate authorities.
type AuthorityReader interface {
	Authority(ctx context.Context, name AuthorityName) (*AuthorityRecord, error)
}

// AuthorityWriter writes them.
type AuthorityWriter interface {
	InsertAuthority(ctx context.Context, authority *AuthorityRecord) error
}

// CertificateReader reads trusted certificates.
type CertificateReader interface {
	Certificate(ctx context.Context, id string) (*TrustedCertificate, error)
	CertificateByFingerprint(ctx context.Context, fingerprint string) (*TrustedCertificate, error)
	// Certificates lists an account's certificates by the fields of
	// CertificateFields and by "validity", the end of their validity.
	Certificates(ctx context.Context, accountID string, query Query) (Page[*TrustedCertificate], error)
	// CountCertificates counts those that are not one device's own.
	CountCertificates(ctx context.Context, accountID string) (int, error)
}

// CertificateWriter writes trusted certificates. Names are unique in an
// account, fingerprints everywhere.
type CertificateWriter interface {
	InsertCertificate(ctx context.Context, certificate *TrustedCertificate) error
	DeleteCertificate(ctx context.Context, id string) error
}

// DeviceReader reads the device directory.
type DeviceReader interface {
	Device(ctx context.Context, id string) (*Device, error)
	// Devices lists an account's devices by the fields of DeviceFields.
	Devices(ctx context.Context, accountID string, query Query) (Page[*Device], error)
	CountDevices(ctx context.Context, certificateID string) (int, error)
}

// DeviceWriter writes the device directory. Deleting a device deletes its
// registration.
type DeviceWriter interface {
	InsertDevice(ctx context.Context, device *Device) error
	UpdateDevice(ctx context.Context, device *Device) error
	DeleteDevice(ctx context.Context, id string) error
}

// DeviceCertificateReader reads the LwM2M certificates issued to devices.
type DeviceCertificateReader interface {
	DeviceCertificate(ctx context.Context, fingerprint string) (*DeviceCertificate, error)
	// Standing is all that recognizing a device takes, in one question: every
	// message of a device asks it. It is ErrNotFound if the certificate, its
	// device or the device's trusted certificate is missing.
	Standing(ctx context.Context, fingerprint string) (*Standing, error)
}

// DeviceCertificateWriter writes them.
type DeviceCertificateWriter interface {
	InsertDeviceCertificate(ctx context.Context, certificate *DeviceCertificate) error
	SetDeviceCertificateStatus(ctx context.Context, fingerprint string, status CertificateStatus, at time.Time) error
	// RevokeDeviceCertificates revokes those in force or merely issued of one device.
	RevokeDeviceCertificates(ctx context.Context, deviceID string, at time.Time) error
	// RevokeCertificatesUnder does so for every device of a trusted certificate.
	RevokeCertificatesUnder(ctx context.Context, certificateID string, at time.Time) error
	// DeleteUnfinishedCertificates forgets those merely issued before a time, and counts them.
	DeleteUnfinishedCertificates(ctx context.Context, issuedBefore time.Time) (int, error)
}

// RegistrationReader reads registrations.
type RegistrationReader interface {
	Registration(ctx context.Context, deviceID string) (*RegistrationRecord, error)
	// ExpiredRegistrations returns at most limit registrations that ended at
	// or before a time.
	ExpiredRegistrations(ctx context.Context, at time.Time, limit int) ([]*RegistrationRecord, error)
}

// RegistrationWriter writes registrations; a device has one at most.
type RegistrationWriter interface {
	SaveRegistration(ctx context.Context, registration *RegistrationRecord) error
	// RenewRegistration only moves the end of a registration.
	RenewRegistration(ctx context.Context, deviceID string, lifetime time.Duration, expiresAt time.Time) error
	DeleteRegistration(ctx context.Context, deviceID string) error
}

// EventReader reads device events.
type EventReader interface {
	Event(ctx context.Context, id string) (*DeviceEvent, error)
	// Events lists an account's events by the fields of EventFields.
	Events(ctx context.Context, accountID string, query Query) (Page[*DeviceEvent], error)
}

// EventWriter writes device events.
type EventWriter interface {
	InsertEvent(ctx context.Context, event *DeviceEvent) error
	// DeleteEvents forgets those before a time, and counts them.
	DeleteEvents(ctx context.Context, before time.Time) (int, error)
}

// AuditWriter records who did what with a secret.
type AuditWriter interface {
	InsertAuditRecord(ctx context.Context, record *AuditRecord) error
}
