package restapi

import "mbl/internal/cloud"

type limitationAnswer struct {
	Object      string    `json:"object"`
	ID          string    `json:"id"`
	ETag        string    `json:"etag"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Limit       int       `json:"limit"`
	Quota       int       `json:"quota"`
	Inherited   bool      `json:"inherited"`
	CreatedAt   timestamp `json:"created_at"`
	UpdatedAt   timestamp `json:"updated_at"`
}

func showLimitation(limitation *cloud.Limitation) limitationAnswer {
	return limitationAnswer{
		Object:      "limitation",
		ID:          limitation.ID,
		ETag:        version(1),
		Name:        limitation.Name,
		Description: limitation.Description,
		Limit:       limitation.Limit,
		Quota:       limitation.Limit,
		CreatedAt:   timestamp(limitation.Since),
		UpdatedAt:   timestamp(limitation.Since),
	}
}

func (a *API) listLimitations(c *call) (answer, error) {
	return list(c, a.service.Limitations, showLimitation)
}

func (a *API) limitation(c *call) (answer, error) {
	return read(c, a.service.Limitation, showLimitation)
}
