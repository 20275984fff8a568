package restapi

import (
	"net/http"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

// identityBody asks for the certificate of one device.
type identityBody struct {
	DeveloperCertificateID *string `json:"developer_certificate_id"`
	CertificateRequest     *string `json:"certificate_request"` // PKCS#10, PEM
	EndpointName           *string `json:"endpoint_name"`       // the device's present one
}

func (a *API) createIdentity(c *call) (answer, error) {
	var body identityBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	developerID, ok := objectid.Normalize(orEmpty(body.DeveloperCertificateID))
	if !ok {
		return answer{}, cloud.RefuseField("developer_certificate_id", "is not an id")
	}
	made, err := a.service.CreateIdentity(c.Context(), c.who, cloud.IdentityRequest{
		DeveloperCertificateID: developerID,
		CertificateRequest:     orEmpty(body.CertificateRequest),
		EndpointName:           orEmpty(body.EndpointName),
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showTrustedCertificate(a.now())(made)}, nil
}

func (a *API) listIdentities(c *call) (answer, error) {
	return list(c, a.service.Identities, showTrustedCertificate(a.now()))
}
