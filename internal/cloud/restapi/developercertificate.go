package restapi

import (
	"net/http"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

type developerCertificateAnswer struct {
	Object      string    `json:"object"`
	ID          string    `json:"id"`
	ETag        string    `json:"etag"`
	AccountID   string    `json:"account_id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   timestamp `json:"created_at"`
	Certificate string    `json:"developer_certificate"`
	PrivateKey  string    `json:"developer_private_key"`
	Source      string    `json:"security_file_content"`
}

type developerCertificateBody struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
}

func showDeveloperCertificate(certificate *cloud.DeveloperCertificate) developerCertificateAnswer {
	return developerCertificateAnswer{
		Object:      trustedCertificateObject,
		ID:          certificate.ID,
		ETag:        version(certificate.Version),
		AccountID:   certificate.AccountID,
		Name:        certificate.Name,
		Description: certificate.Description,
		CreatedAt:   timestamp(certificate.CreatedAt),
		Certificate: pki.CertificatePEM(certificate.Certificate),
		PrivateKey:  certificate.PrivateKey.Reveal(),
		Source:      certificate.Source.Reveal(),
	}
}

func (a *API) createDeveloperCertificate(c *call) (answer, error) {
	var body developerCertificateBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	made, err := a.service.CreateDeveloperCertificate(c.Context(), c.who, orEmpty(body.Name), orEmpty(body.Description))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showDeveloperCertificate(made)}, nil
}

func (a *API) developerCertificate(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	certificate, err := a.service.DeveloperCertificate(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showDeveloperCertificate(certificate)}, nil
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
