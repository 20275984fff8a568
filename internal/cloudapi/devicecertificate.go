package cloudapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

const deviceCertificatesPath = "/v3/device-certificates"

// DeviceCertificateRequest asks for the bootstrap certificate of one device.
type DeviceCertificateRequest struct {
	DeveloperCertificateID string `json:"developer_certificate_id"`
	CertificateRequest     string `json:"certificate_request"`     // PKCS#10, PEM
	EndpointName           string `json:"endpoint_name,omitempty"` // the device's present one
}

// CheckDeviceCertificates finds out whether the service signs certificates of
// single devices. The error matches ErrNotFound if it does not: the original
// service does not.
func (c *Client) CheckDeviceCertificates(ctx context.Context) error {
	var page struct {
		Data *[]TrustedCertificate `json:"data"`
	}
	err := c.call(ctx, http.MethodGet, deviceCertificatesPath, url.Values{"limit": {"2"}}, nil, &page)
	if err != nil {
		return fmt.Errorf("cannot tell whether the service signs certificates of single devices: %w", err)
	}
	if page.Data == nil {
		return &NotServiceError{URL: c.base}
	}
	return nil
}

// HasDeviceCertificate tells whether a device of that endpoint name has a
// certificate of its own under a developer certificate.
func (c *Client) HasDeviceCertificate(ctx context.Context, developerCertificateID, endpointName string) (bool, error) {
	filter := url.Values{"developer_certificate_id__eq": {developerCertificateID}, "endpoint_name__eq": {endpointName}}
	for _, err := range list[TrustedCertificate](ctx, c, deviceCertificatesPath, filter) {
		if err != nil {
			return false, fmt.Errorf("cannot look for the device's certificate: %w", err)
		}
		return true, nil
	}
	return false, nil
}

// SignDeviceCertificate has the service sign the certificate of one device.
func (c *Client) SignDeviceCertificate(ctx context.Context, request DeviceCertificateRequest) (*TrustedCertificate, error) {
	var signed TrustedCertificate
	if err := c.call(ctx, http.MethodPost, deviceCertificatesPath, nil, request, &signed); err != nil {
		return nil, fmt.Errorf("cannot have the device's certificate signed: %w", err)
	}
	if signed.ID == "" {
		return nil, &NotServiceError{URL: c.base}
	}
	return &signed, nil
}
