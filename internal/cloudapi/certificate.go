package cloudapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"mbl/internal/secret"
)

// developerMode is the device_execution_mode of developer certificates and of
// the devices that came with one.
const developerMode = 1

// TrustedCertificate is a certificate the service recognises devices by.
type TrustedCertificate struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Description   string `json:"description"`
	Service       string `json:"service"`                 // bootstrap or lwm2m
	Status        string `json:"status"`                  // ACTIVE or INACTIVE
	ExecutionMode int    `json:"device_execution_mode"`   // 1: a developer certificate
	Certificate   string `json:"certificate"`             // PEM
	Fingerprint   string `json:"certificate_fingerprint"` // as the service writes it
	Subject       string `json:"subject"`
	Issuer        string `json:"issuer"`
	OwnerID       string `json:"owner_id"`
	CreatedAt     Time   `json:"created_at"`
	Validity      Time   `json:"validity"` // expires then

	// Only of the certificate of one device, which our own service signs.
	DeveloperCertificateID string `json:"developer_certificate_id"` // it hangs under this one
	EndpointName           string `json:"endpoint_name"`
}

func (t TrustedCertificate) identity() string { return t.ID }

// Developer tells whether this is a developer certificate.
func (t TrustedCertificate) Developer() bool {
	return t.ExecutionMode == developerMode && !t.OfOneDevice()
}

// OfOneDevice tells whether only one device has this certificate.
func (t TrustedCertificate) OfOneDevice() bool { return t.DeveloperCertificateID != "" }

// DeveloperCertificate is what a developer's devices are provisioned with.
type DeveloperCertificate struct {
	ID                  string
	Name                string
	AccountID           string
	Certificate         string      // PEM
	PrivateKey          secret.Text // PEM, PKCS#8
	SecurityFileContent secret.Text // mbed_cloud_dev_credentials.c, with the private key in it
	CreatedAt           Time
}

// developerCertificateBody is a DeveloperCertificate as the service sends it.
type developerCertificateBody struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	AccountID   string `json:"account_id"`
	Certificate string `json:"developer_certificate"`
	PrivateKey  string `json:"developer_private_key"`
	Content     string `json:"security_file_content"`
	CreatedAt   Time   `json:"created_at"`
}

// TrustedCertificates lists the account's certificates. filter holds query
// parameters such as device_execution_mode__eq; nil lists all.
func (c *Client) TrustedCertificates(ctx context.Context, filter url.Values) iter.Seq2[TrustedCertificate, error] {
	return list[TrustedCertificate](ctx, c, "/v3/trusted-certificates", filter)
}

// DeveloperCertificateByName finds a developer certificate. The error matches
// ErrNotFound if the account has none of that name.
func (c *Client) DeveloperCertificateByName(ctx context.Context, name string) (*TrustedCertificate, error) {
	filter := url.Values{"device_execution_mode__eq": {"1"}, "name__eq": {name}}
	for cert, err := range c.TrustedCertificates(ctx, filter) {
		if err != nil {
			return nil, fmt.Errorf("cannot look for the developer certificate %q: %w", name, err)
		}
		if cert.Developer() && cert.Name == name {
			return &cert, nil
		}
	}
	return nil, fmt.Errorf("the developer certificate %q: %w", name, ErrNotFound)
}

// DeleteTrustedCertificate takes a certificate out of the service: devices are
// no longer bootstrapped by it.
func (c *Client) DeleteTrustedCertificate(ctx context.Context, id string) error {
	err := c.call(ctx, http.MethodDelete, "/v3/trusted-certificates/"+url.PathEscape(id), nil, nil, nil)
	if err != nil {
		return fmt.Errorf("cannot delete the certificate: %w", err)
	}
	return nil
}

// CreateDeveloperCertificate makes a developer certificate and its key in the
// service. The error matches ErrConflict if the name is taken, ErrForbidden if
// the account may have no more.
func (c *Client) CreateDeveloperCertificate(ctx context.Context, name, description string) (*DeveloperCertificate, error) {
	request := struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}{name, description}
	cert, err := c.developerCertificate(ctx, http.MethodPost, "/v3/developer-certificates", request)
	if err != nil {
		return nil, fmt.Errorf("cannot create the developer certificate %q: %w", name, err)
	}
	if cert.SecurityFileContent.Empty() {
		return c.DeveloperCertificate(ctx, cert.ID)
	}
	return cert, nil
}

// DeveloperCertificate reads a developer certificate with its private key.
func (c *Client) DeveloperCertificate(ctx context.Context, id string) (*DeveloperCertificate, error) {
	cert, err := c.developerCertificate(ctx, http.MethodGet, "/v3/developer-certificates/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read the developer certificate: %w", err)
	}
	return cert, nil
}

func (c *Client) developerCertificate(ctx context.Context, method, path string, request any) (*DeveloperCertificate, error) {
	var body developerCertificateBody
	if err := c.call(ctx, method, path, nil, request, &body); err != nil {
		return nil, err
	}
	if body.ID == "" {
		return nil, &NotServiceError{URL: c.base}
	}
	return &DeveloperCertificate{
		ID:                  body.ID,
		Name:                body.Name,
		AccountID:           body.AccountID,
		Certificate:         body.Certificate,
		PrivateKey:          secret.New(body.PrivateKey),
		SecurityFileContent: secret.New(body.Content),
		CreatedAt:           body.CreatedAt,
	}, nil
}
