package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

type deviceQueryAnswer struct {
	Object    string    `json:"object"`
	ID        string    `json:"id"`
	ETag      timestamp `json:"etag"`
	Name      string    `json:"name"`
	Query     string    `json:"query"`
	CreatedAt timestamp `json:"created_at"`
	UpdatedAt timestamp `json:"updated_at"`
}

type deviceQueryBody struct {
	Name  *string `json:"name"`
	Query *string `json:"query"`
}

func showDeviceQuery(saved *cloud.DeviceQuery) deviceQueryAnswer {
	return deviceQueryAnswer{
		Object:    "device-query",
		ID:        saved.ID,
		ETag:      timestamp(saved.UpdatedAt),
		Name:      saved.Name,
		Query:     saved.Query,
		CreatedAt: timestamp(saved.CreatedAt),
		UpdatedAt: timestamp(saved.UpdatedAt),
	}
}

func (a *API) listDeviceQueries(c *call) (answer, error) {
	return list(c, a.service.DeviceQueries, showDeviceQuery)
}

func (a *API) createDeviceQuery(c *call) (answer, error) {
	var body deviceQueryBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	saved, err := a.service.CreateDeviceQuery(c.Context(), c.who, value(body.Name), value(body.Query))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showDeviceQuery(saved)}, nil
}

func (a *API) deviceQuery(c *call) (answer, error) {
	return read(c, a.service.DeviceQuery, showDeviceQuery)
}

func (a *API) updateDeviceQuery(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	var body deviceQueryBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	saved, err := a.service.UpdateDeviceQuery(c.Context(), c.who, id, value(body.Name), value(body.Query))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showDeviceQuery(saved)}, nil
}

func (a *API) deleteDeviceQuery(c *call) (answer, error) {
	return remove(c, a.service.DeleteDeviceQuery)
}
