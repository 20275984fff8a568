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

// Reader reads what was committed, or within a transaction what that has changed.
type Reader interface {
	AccountReader
	APIKeyReader
	AuthorityReader
	CertificateReader
	DeviceReader
	DeviceGroupReader
	DeviceQueryReader
	DeviceCertificateReader
	RegistrationReader
	EventReader
	AuditReader
	AdmissionReader
	SubscriptionReader
	ChannelReader
}

// Writer reads and writes within one transaction.
type Writer interface {
	Reader
	AccountWriter
	APIKeyWriter
	AuthorityWriter
	CertificateWriter
	DeviceWriter
	DeviceGroupWriter
	DeviceQueryWriter
	DeviceCertificateWriter
	RegistrationWriter
	EventWriter
	SubscriptionWriter
	ChannelWriter
	AuditWriter
	AdmissionWriter
	HealthWriter
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
	// UpdateAccount changes what an account is called and its profile.
	UpdateAccount(ctx context.Context, account *Account) error
}

// APIKeyReader reads API keys.
type APIKeyReader interface {
	APIKey(ctx context.Context, id string) (*APIKey, error)
	// APIKeys lists an account's keys. Fields: id, owner, status (ACTIVE or
	// INACTIVE), groups (Like the id of a group).
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

// AuthorityWriter writes the service's certificate authorities.
type AuthorityWriter interface {
	InsertAuthority(ctx context.Context, authority *AuthorityRecord) error
	DeleteAuthority(ctx context.Context, name AuthorityName) error
}

// CertificateReader reads trusted certificates.
type CertificateReader interface {
	Certificate(ctx context.Context, id string) (*TrustedCertificate, error)
	// CertificateState is the part of a certificate that is asked for within the
	// transactions of devices.
	CertificateState(ctx context.Context, id string) (CertificateState, error)
	CertificateVersion(ctx context.Context, fingerprint string) (CertificateVersion, error)
	CertificateByFingerprint(ctx context.Context, fingerprint string) (*TrustedCertificate, error)
	// Certificates lists an account's certificates by the fields of
	// CertificateFields and by "validity", the end of their validity.
	Certificates(ctx context.Context, accountID string, query Query) (Page[*TrustedCertificate], error)
	// CountCertificates counts those that are not one device's own.
	CountCertificates(ctx context.Context, accountID string) (int, error)
	// CountCertificatesEnding counts the active ones of all accounts that end
	// after from and not after to.
	CountCertificatesEnding(ctx context.Context, from, to time.Time) (int, error)
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
	// DeviceCounts are the devices of all accounts by state. It does not count:
	// the numbers are kept.
	DeviceCounts(ctx context.Context) (map[DeviceState]int, error)
}

// DeviceWriter writes the device directory. Deleting a device deletes its
// registration and takes it out of its groups. UpdateDevice changes neither
// Groups nor what never changes: account, endpoint name, time of creation.
type DeviceWriter interface {
	InsertDevice(ctx context.Context, device *Device) error
	UpdateDevice(ctx context.Context, device *Device) error
	// UpdateDeviceState changes only what every coming and going changes: State,
	// EndpointType and UpdatedAt.
	UpdateDeviceState(ctx context.Context, device *Device) error
	DeleteDevice(ctx context.Context, id string) error
}

// DeviceCertificateReader reads the LwM2M certificates issued to devices.
type DeviceCertificateReader interface {
	DeviceCertificate(ctx context.Context, fingerprint string) (*DeviceCertificate, error)
	// Standing is all that recognizing a device takes, in one question: every
	// message of a device asks it. It is ErrNotFound if the certificate or its
	// device is missing. The trusted certificate that the device came with
	// counts unless it was deleted, or is an LwM2M authority that is not active.
	Standing(ctx context.Context, fingerprint string) (*Standing, error)
	// CountDeviceCertificatesEnding counts those in force that end after from
	// and not after to.
	CountDeviceCertificatesEnding(ctx context.Context, from, to time.Time) (int, error)
	// CountActiveCertificates counts those in force that were issued before a time.
	CountActiveCertificates(ctx context.Context, issuedBefore time.Time) (int, error)
}

// DeviceCertificateWriter writes the LwM2M certificates issued to devices.
type DeviceCertificateWriter interface {
	InsertDeviceCertificate(ctx context.Context, certificate *DeviceCertificate) error
	// RevokeDeviceCertificates revokes those of one device.
	RevokeDeviceCertificates(ctx context.Context, deviceID string, at time.Time) error
	// RevokeCertificatesUnder does so for every device of a trusted certificate.
	RevokeCertificatesUnder(ctx context.Context, certificateID string, at time.Time) error
	// DeleteDeviceCertificate forgets a certificate, known or not.
	DeleteDeviceCertificate(ctx context.Context, fingerprint string) error
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

// AuditReader reads what was done.
type AuditReader interface {
	// AuditRecords lists an account's records. Field: id.
	AuditRecords(ctx context.Context, accountID string, query Query) (Page[*AuditRecord], error)
}

// AuditWriter records who did what.
type AuditWriter interface {
	InsertAuditRecord(ctx context.Context, record *AuditRecord) error
	// DeleteAuditRecords forgets those before a time, and all but the newest
	// keep, and counts them.
	DeleteAuditRecords(ctx context.Context, before time.Time, keep int) (int, error)
}
