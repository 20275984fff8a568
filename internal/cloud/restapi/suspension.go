package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// suspensionAnswer is the part of a device about whether it may connect. The
// service itself suspends nothing.
type suspensionAnswer struct {
	LifecycleStatus string     `json:"lifecycle_status"`
	Suspended       bool       `json:"operator_suspended"`
	Category        string     `json:"last_operator_suspended_category,omitempty"`
	Description     string     `json:"last_operator_suspended_description,omitempty"`
	ChangedAt       *timestamp `json:"last_operator_suspended_updated_at,omitempty"`
	BySystem        bool       `json:"system_suspended"`
}

type blockBody struct {
	Category    *string `json:"category"`
	Description *string `json:"description"`
}

type blockCategoryAnswer struct {
	Object      string `json:"object"`
	Reference   string `json:"reference"`
	Description string `json:"description"`
}

func suspensionRoutes() []route {
	const device, categories = "/v3/devices/{id}", "/v3/device-block-categories"
	rules := &listRules{fields: cloud.BlockCategoryFields(), whole: true}
	return []route{
		{"POST", device + "/suspend", keyHolders, (*API).suspendDevice, "Keep a device from connecting; a connected one is cut off", nil, blockBody{}, http.StatusNoContent, nil},
		{"POST", device + "/resume", keyHolders, (*API).resumeDevice, "Let a suspended device connect again", nil, blockBody{}, http.StatusNoContent, nil},
		{"GET", categories, keyHolders, (*API).listBlockCategories, "List the reasons to suspend a device", rules, nil, http.StatusOK, listAnswer[blockCategoryAnswer]{}},
		{"GET", categories + "/{path...}", keyHolders, (*API).blockCategory, "Read a reason to suspend a device", nil, nil, http.StatusOK, blockCategoryAnswer{}},
	}
}

func showSuspension(suspension cloud.Suspension) suspensionAnswer {
	status := "enabled"
	if suspension.Active {
		status = "blocked"
	}
	return suspensionAnswer{
		LifecycleStatus: status,
		Suspended:       suspension.Active,
		Category:        suspension.Category,
		Description:     suspension.Description,
		ChangedAt:       optionalTime(suspension.ChangedAt),
	}
}

func showBlockCategory(category cloud.BlockCategory) blockCategoryAnswer {
	return blockCategoryAnswer{Object: "device-block-category", Reference: category.Reference, Description: category.Description}
}

func (a *API) suspendDevice(c *call) (answer, error) {
	id, body, err := c.block()
	if err != nil {
		return answer{}, err
	}
	err = a.service.SuspendDevice(c.Context(), c.who, id, orEmpty(body.Category), orEmpty(body.Description))
	return answer{status: http.StatusNoContent}, err
}

func (a *API) resumeDevice(c *call) (answer, error) {
	id, body, err := c.block()
	if err != nil {
		return answer{}, err
	}
	err = a.service.ResumeDevice(c.Context(), c.who, id, orEmpty(body.Category), orEmpty(body.Description))
	return answer{status: http.StatusNoContent}, err
}

func (c *call) block() (id string, body blockBody, err error) {
	if id, err = c.pathID(); err == nil {
		err = c.decode(&body)
	}
	return id, body, err
}

func (a *API) listBlockCategories(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	return page(query, cloud.ListBlockCategories(query), showBlockCategory), nil
}

func (a *API) blockCategory(c *call) (answer, error) {
	for _, category := range cloud.BlockCategories() {
		if category.Reference == c.PathValue("path") {
			return answer{http.StatusOK, showBlockCategory(category)}, nil
		}
	}
	return answer{}, cloud.ErrNotFound
}
