package restapi

import (
	"net/http"
	"strings"

	"mbl/internal/cloud"
)

// trustedCertificateBody is a certificate to be uploaded, or what is to change
// of one.
type trustedCertificateBody struct {
	Name           *string `json:"name"`
	Description    *string `json:"description"`
	Service        *string `json:"service"`
	Status         *string `json:"status"`
	EnrollmentMode *bool   `json:"enrollment_mode"`
	Certificate    *string `json:"certificate"` // PEM, from root to leaf
	Signature      *string `json:"signature"`   // deprecated
}

// active reads the field status; nil if it is absent.
func (b trustedCertificateBody) active() (*bool, error) {
	if b.Status == nil {
		return nil, nil
	}
	active := strings.EqualFold(*b.Status, status(true))
	if !active && !strings.EqualFold(*b.Status, status(false)) {
		return nil, cloud.RefuseField("status", "is neither %s nor %s", status(true), status(false))
	}
	return &active, nil
}

func (a *API) uploadTrustedCertificate(c *call) (answer, error) {
	var body trustedCertificateBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	active, err := body.active()
	if err != nil {
		return answer{}, err
	}
	uploaded, err := a.service.UploadCertificate(c.Context(), c.who, cloud.CertificateUpload{
		Name:           orEmpty(body.Name),
		Description:    orEmpty(body.Description),
		Service:        orEmpty(body.Service),
		Certificate:    orEmpty(body.Certificate),
		Signature:      orEmpty(body.Signature),
		EnrollmentMode: body.EnrollmentMode != nil && *body.EnrollmentMode,
		Active:         active == nil || *active,
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showTrustedCertificate(a.now())(uploaded)}, nil
}

func (a *API) updateTrustedCertificate(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	var body trustedCertificateBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	active, err := body.active()
	if err != nil {
		return answer{}, err
	}
	changed, err := a.service.UpdateTrustedCertificate(c.Context(), c.who, id, cloud.CertificateChanges{
		Name:           body.Name,
		Description:    body.Description,
		Service:        body.Service,
		Certificate:    body.Certificate,
		Signature:      body.Signature,
		EnrollmentMode: body.EnrollmentMode,
		Active:         active,
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showTrustedCertificate(a.now())(changed)}, nil
}
