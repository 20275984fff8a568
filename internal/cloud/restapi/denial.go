package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

type denialAnswer struct {
	Object        string    `json:"object"`
	ID            string    `json:"id"`
	AccountID     string    `json:"account_id"`
	CertificateID string    `json:"trusted_certificate_id"`
	EndpointName  string    `json:"endpoint_name"`
	CreatedAt     timestamp `json:"created_at"`
}

func denialRoutes() []route {
	const denials = "/v3/device-enrollment-denials"
	rules := &listRules{fields: cloud.DenialFields(), clamp: true}
	return []route{
		{"GET", denials, keyHolders, (*API).listDenials, "List the bootstraps refused to devices of a trusted certificate (trusted_certificate_id__eq)", rules, nil, http.StatusOK, listAnswer[denialAnswer]{}},
		{"GET", denials + "/{id}", keyHolders, (*API).denial, "Read a refused bootstrap", nil, nil, http.StatusOK, denialAnswer{}},
	}
}

func showDenial(denial *cloud.Denial) denialAnswer {
	return denialAnswer{
		Object:        "denied_device",
		ID:            denial.ID,
		AccountID:     denial.AccountID,
		CertificateID: denial.CertificateID,
		EndpointName:  denial.EndpointName,
		CreatedAt:     timestamp(denial.At),
	}
}

func (a *API) listDenials(c *call) (answer, error) {
	return list(c, a.service.Denials, showDenial)
}

func (a *API) denial(c *call) (answer, error) {
	return read(c, a.service.Denial, showDenial)
}
