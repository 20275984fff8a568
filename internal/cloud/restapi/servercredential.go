package restapi

import (
	"net/http"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

type serverCredentialAnswer struct {
	Object      string    `json:"object"`
	ID          string    `json:"id"`
	ETag        string    `json:"etag"`
	CreatedAt   timestamp `json:"created_at"`
	URI         string    `json:"server_uri"`
	Certificate string    `json:"server_certificate"` // of the CA
}

type allServerCredentialsAnswer struct {
	Bootstrap shortServerCredential `json:"bootstrap"`
	LwM2M     shortServerCredential `json:"lwm2m"`
}

type shortServerCredential struct {
	URL         string `json:"url"`
	Certificate string `json:"certificate"`
}

func showServerCredential(credential cloud.ServerCredential) answer {
	return answer{http.StatusOK, serverCredentialAnswer{
		Object:      "server-credentials",
		ID:          credential.ID,
		ETag:        version(1), // a CA never changes
		CreatedAt:   timestamp(credential.CreatedAt),
		URI:         credential.URI,
		Certificate: pki.CertificatePEM(credential.Certificate),
	}}
}

func (a *API) serverCredentials(c *call) (answer, error) {
	return answer{http.StatusOK, allServerCredentialsAnswer{
		Bootstrap: shorten(a.service.BootstrapCredential(c.who)),
		LwM2M:     shorten(a.service.LwM2MCredential()),
	}}, nil
}

func shorten(credential cloud.ServerCredential) shortServerCredential {
	return shortServerCredential{URL: credential.URI, Certificate: pki.CertificatePEM(credential.Certificate)}
}

func (a *API) bootstrapCredential(c *call) (answer, error) {
	return showServerCredential(a.service.BootstrapCredential(c.who)), nil
}

func (a *API) lwm2mCredential(*call) (answer, error) {
	return showServerCredential(a.service.LwM2MCredential()), nil
}
