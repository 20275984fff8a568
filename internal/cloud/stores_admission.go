package cloud

import (
	"context"
	"time"
)

// AdmissionReader reads what decides who may bootstrap, beyond the certificates
// made here.
type AdmissionReader interface {
	UploadedCertificateReader
	SharedKeyReader
	IssuerConfigurationReader
	DenialReader
	EnrollmentReader
	CertificateEnrollmentReader
}

// AdmissionWriter writes what AdmissionReader reads.
type AdmissionWriter interface {
	UploadedCertificateWriter
	SharedKeyWriter
	IssuerConfigurationWriter
	SuspensionWriter
	DenialWriter
	EnrollmentWriter
	CertificateEnrollmentWriter
}

// UploadedCertificateReader finds uploaded certificates.
type UploadedCertificateReader interface {
	// Authorities returns the uploaded authorities, of all accounts, with a
	// subject (TrustedCertificate.AuthoritySubject).
	Authorities(ctx context.Context, subject string) ([]*TrustedCertificate, error)
}

// UploadedCertificateWriter changes trusted certificates.
type UploadedCertificateWriter interface {
	UpdateCertificate(ctx context.Context, certificate *TrustedCertificate) error
}

// SharedKeyReader reads pre-shared keys.
type SharedKeyReader interface {
	SharedKey(ctx context.Context, endpointName string) (*SharedKey, error)
	// SharedKeys lists an account's keys.
	SharedKeys(ctx context.Context, accountID string, query Query) (Page[*SharedKey], error)
}

// SharedKeyWriter writes pre-shared keys. Their endpoint names are unique.
type SharedKeyWriter interface {
	InsertSharedKey(ctx context.Context, key *SharedKey) error
	DeleteSharedKey(ctx context.Context, id string) error
}

// IssuerConfigurationReader reads who makes an account's LwM2M certificates.
type IssuerConfigurationReader interface {
	IssuerConfiguration(ctx context.Context, accountID string) (*IssuerConfiguration, error)
}

// IssuerConfigurationWriter writes who makes an account's LwM2M certificates; an
// account has one configuration at most.
type IssuerConfigurationWriter interface {
	SaveIssuerConfiguration(ctx context.Context, configuration *IssuerConfiguration) error
}

// SuspensionWriter writes whether devices may connect. Device.Suspension reads
// it; no other writing of a device changes it.
type SuspensionWriter interface {
	SaveSuspension(ctx context.Context, deviceID string, suspension Suspension) error
}

// DenialReader reads refused bootstraps.
type DenialReader interface {
	Denial(ctx context.Context, id string) (*Denial, error)
	// DenialOf is the denial of an endpoint name under a trusted certificate.
	DenialOf(ctx context.Context, certificateID, endpointName string) (*Denial, error)
	// Denials lists an account's denials by the fields of DenialFields.
	Denials(ctx context.Context, accountID string, query Query) (Page[*Denial], error)
}

// DenialWriter writes refused bootstraps.
type DenialWriter interface {
	// SaveDenial puts a denial in place of an earlier one of the same endpoint
	// name and certificate.
	SaveDenial(ctx context.Context, denial *Denial) error
	// TrimDenials forgets the oldest of an account beyond so many.
	TrimDenials(ctx context.Context, accountID string, keep int) error
}

// EnrollmentReader reads claims to devices.
type EnrollmentReader interface {
	Enrollment(ctx context.Context, id string) (*Enrollment, error)
	EnrollmentOf(ctx context.Context, identity string) (*Enrollment, error)
	// Enrollments lists an account's claims.
	Enrollments(ctx context.Context, accountID string, query Query) (Page[*Enrollment], error)
}

// EnrollmentWriter writes claims to devices. Their identities are unique.
type EnrollmentWriter interface {
	InsertEnrollment(ctx context.Context, claim *Enrollment) error
	// UpdateEnrollment writes the device that has come.
	UpdateEnrollment(ctx context.Context, claim *Enrollment) error
	DeleteEnrollment(ctx context.Context, id string) error
	// DeleteExpiredEnrollments forgets those that ended before a time without
	// their device.
	DeleteExpiredEnrollments(ctx context.Context, at time.Time) error
}

// CertificateEnrollmentReader reads requests to renew certificates.
type CertificateEnrollmentReader interface {
	CertificateEnrollment(ctx context.Context, id string) (*CertificateEnrollment, error)
	// CertificateEnrollments lists an account's by the fields of
	// CertificateEnrollmentFields.
	CertificateEnrollments(ctx context.Context, accountID string, query Query) (Page[*CertificateEnrollment], error)
}

// CertificateEnrollmentWriter writes requests to renew certificates. A device has
// at most one that is new; they go with it.
type CertificateEnrollmentWriter interface {
	InsertCertificateEnrollment(ctx context.Context, enrollment *CertificateEnrollment) error
	// CompleteCertificateEnrollments makes a device's new one a success.
	CompleteCertificateEnrollments(ctx context.Context, deviceID string, at time.Time) error
	// FailCertificateEnrollments makes those failures that are still new and
	// were made before a time.
	FailCertificateEnrollments(ctx context.Context, before, at time.Time, detail string) error
	DeleteCertificateEnrollment(ctx context.Context, id string) error
	// DeleteCertificateEnrollments forgets those made before a time.
	DeleteCertificateEnrollments(ctx context.Context, before time.Time) error
}
