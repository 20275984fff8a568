package restapi

import (
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

const trustedCertificateObject = "trusted-cert"

type trustedCertificateAnswer struct {
	Object         string    `json:"object"`
	ID             string    `json:"id"`
	ETag           string    `json:"etag"`
	AccountID      string    `json:"account_id"`
	OwnerID        string    `json:"owner_id"`
	Name           string    `json:"name"`
	Description    string    `json:"description"`
	Service        string    `json:"service"`
	Status         string    `json:"status"`
	ExecutionMode  int       `json:"device_execution_mode"`
	EnrollmentMode bool      `json:"enrollment_mode"`
	Certificate    string    `json:"certificate"`
	Fingerprint    string    `json:"certificate_fingerprint"`
	Subject        string    `json:"subject"`
	Issuer         string    `json:"issuer"`
	Valid          bool      `json:"valid"`
	Validity       timestamp `json:"validity"` // when it expires
	CreatedAt      timestamp `json:"created_at"`
	UpdatedAt      timestamp `json:"updated_at"`

	// Only of the certificates of single devices.
	DeveloperCertificateID string `json:"developer_certificate_id,omitempty"`
	EndpointName           string `json:"endpoint_name,omitempty"`
}

// showTrustedCertificate shows a certificate as it is at a time.
func showTrustedCertificate(now time.Time) func(*cloud.TrustedCertificate) trustedCertificateAnswer {
	return func(certificate *cloud.TrustedCertificate) trustedCertificateAnswer {
		shown := trustedCertificateAnswer{
			Object:         trustedCertificateObject,
			ID:             certificate.ID,
			ETag:           version(certificate.Version),
			AccountID:      certificate.AccountID,
			OwnerID:        certificate.OwnerID,
			Name:           certificate.Name,
			Description:    certificate.Description,
			Service:        certificate.Service,
			Status:         status(certificate.Active),
			ExecutionMode:  certificate.ExecutionMode,
			EnrollmentMode: certificate.EnrollmentMode,
			Certificate:    pki.CertificatePEM(certificate.Certificate),
			Fingerprint:    certificate.Fingerprint,
			Subject:        certificate.Subject,
			Issuer:         certificate.Issuer,
			Valid:          certificate.ValidAt(now),
			Validity:       timestamp(certificate.NotAfter),
			CreatedAt:      timestamp(certificate.CreatedAt),
			UpdatedAt:      timestamp(certificate.UpdatedAt),
		}
		if certificate.OfOneDevice() {
			shown.DeveloperCertificateID, shown.EndpointName = certificate.DeveloperCertificateID, certificate.EndpointName
		}
		return shown
	}
}

func (a *API) listTrustedCertificates(c *call) (answer, error) {
	return list(c, a.service.TrustedCertificates, showTrustedCertificate(a.now()))
}

func (a *API) trustedCertificate(c *call) (answer, error) {
	return read(c, a.service.TrustedCertificate, showTrustedCertificate(a.now()))
}

func (a *API) deleteTrustedCertificate(c *call) (answer, error) {
	return remove(c, a.service.DeleteTrustedCertificate)
}
