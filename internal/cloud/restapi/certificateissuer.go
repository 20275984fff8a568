package restapi

import (
	"net/http"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

// lwm2mReference is the name of the one configuration there is.
const lwm2mReference = cloud.LwM2MCertificateName

type issuerConfigurationAnswer struct {
	Object    string    `json:"object"`
	ID        string    `json:"id"`
	ETag      string    `json:"etag"`
	Reference string    `json:"reference"`
	IsCustom  bool      `json:"is_custom"`
	IssuerID  *string   `json:"certificate_issuer_id"` // null: devices' keys are made here
	CreatedAt timestamp `json:"created_at"`
	UpdatedAt timestamp `json:"updated_at"`
}

type issuerConfigurationBody struct {
	IssuerID *string `json:"certificate_issuer_id"`
}

type issuerAnswer struct {
	Object      string            `json:"object"`
	ID          string            `json:"id"`
	ETag        string            `json:"etag"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Type        string            `json:"issuer_type"`
	Attributes  map[string]string `json:"issuer_attributes"`
	CreatedAt   timestamp         `json:"created_at"`
}

func issuerRoutes() []route {
	const configurations, issuers = "/v3/certificate-issuer-configurations", "/v3/certificate-issuers"
	configurationRules := &listRules{fields: cloud.Fields{"reference": {Kind: cloud.Text, Operators: []cloud.Operator{cloud.Equal}}}, whole: true}
	return []route{
		{"GET", configurations, keyHolders, (*API).listIssuerConfigurations, "Who makes the certificates of the account's devices", configurationRules, nil, http.StatusOK, listAnswer[issuerConfigurationAnswer]{}},
		{"GET", configurations + "/lwm2m", keyHolders, (*API).issuerConfiguration, "Who makes the LwM2M certificates of the account's devices", nil, nil, http.StatusOK, issuerConfigurationAnswer{}},
		{"PUT", configurations + "/lwm2m", administrators, (*API).setIssuer, "Choose: null has keys and certificates made here; the id of the issuer has devices make their keys (EST), where they can", nil, issuerConfigurationBody{}, http.StatusOK, issuerConfigurationAnswer{}},
		{"GET", configurations + "/{id}", keyHolders, (*API).issuerConfigurationByID, "The same by its id", nil, nil, http.StatusOK, issuerConfigurationAnswer{}},
		{"PUT", configurations + "/{id}", administrators, (*API).setIssuerByID, "The same by its id", nil, issuerConfigurationBody{}, http.StatusOK, issuerConfigurationAnswer{}},
		{"GET", issuers, keyHolders, (*API).listIssuers, "The issuer there is: the service's authority of devices", &listRules{whole: true}, nil, http.StatusOK, listAnswer[issuerAnswer]{}},
		{"GET", issuers + "/{id}", keyHolders, (*API).issuer, "Read an issuer", nil, nil, http.StatusOK, issuerAnswer{}},
	}
}

func showIssuerConfiguration(configuration *cloud.IssuerConfiguration) issuerConfigurationAnswer {
	shown := issuerConfigurationAnswer{
		Object:    "certificate-issuer-configuration",
		ID:        configuration.AccountID,
		ETag:      version(configuration.Version),
		Reference: lwm2mReference,
		CreatedAt: timestamp(configuration.CreatedAt),
		UpdatedAt: timestamp(configuration.UpdatedAt),
	}
	if configuration.IssuerID != "" {
		shown.IssuerID = &configuration.IssuerID
	}
	return shown
}

func showIssuer(issuer cloud.CertificateIssuer) issuerAnswer {
	return issuerAnswer{
		Object:      "certificate-issuer",
		ID:          issuer.ID,
		ETag:        version(1),
		Name:        issuer.Name,
		Description: "built in; devices make their own keys",
		Type:        "CFSSL_AUTH", // of the published kinds the one that is no vendor's
		Attributes:  map[string]string{},
		CreatedAt:   timestamp(issuer.CreatedAt),
	}
}

func (a *API) listIssuerConfigurations(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	configuration, err := a.service.IssuerConfiguration(c.Context(), c.who)
	if err != nil {
		return answer{}, err
	}
	found := cloud.Page[*cloud.IssuerConfiguration]{Items: []*cloud.IssuerConfiguration{configuration}, Total: 1}
	for _, condition := range query.Conditions {
		if text, _ := condition.Values[0].(string); !strings.EqualFold(text, lwm2mReference) {
			found = cloud.Page[*cloud.IssuerConfiguration]{}
		}
	}
	return page(query, found, showIssuerConfiguration), nil
}

func (a *API) issuerConfiguration(c *call) (answer, error) {
	configuration, err := a.service.IssuerConfiguration(c.Context(), c.who)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showIssuerConfiguration(configuration)}, nil
}

func (a *API) setIssuer(c *call) (answer, error) {
	var body issuerConfigurationBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	issuerID := orEmpty(body.IssuerID)
	if id, ok := objectid.Normalize(issuerID); ok {
		issuerID = id
	}
	configuration, err := a.service.SetIssuer(c.Context(), c.who, issuerID)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showIssuerConfiguration(configuration)}, nil
}

func (a *API) issuerConfigurationByID(c *call) (answer, error) {
	if err := c.ownConfiguration(); err != nil {
		return answer{}, err
	}
	return a.issuerConfiguration(c)
}

func (a *API) setIssuerByID(c *call) (answer, error) {
	if err := c.ownConfiguration(); err != nil {
		return answer{}, err
	}
	return a.setIssuer(c)
}

// ownConfiguration checks that the id in the path is that of the account's
// configuration.
func (c *call) ownConfiguration() error {
	id, err := c.pathID()
	if err == nil && id != c.who.AccountID {
		return cloud.ErrNotFound
	}
	return err
}

func (a *API) listIssuers(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	all := cloud.Page[cloud.CertificateIssuer]{Items: []cloud.CertificateIssuer{a.service.CertificateIssuer()}, Total: 1}
	return page(query, all, showIssuer), nil
}

func (a *API) issuer(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	issuer := a.service.CertificateIssuer()
	if issuer.ID != id {
		return answer{}, cloud.ErrNotFound
	}
	return answer{http.StatusOK, showIssuer(issuer)}, nil
}
