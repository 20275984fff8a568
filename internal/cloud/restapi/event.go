package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

type eventAnswer struct {
	Object          string            `json:"object"`
	ID              string            `json:"id"`
	ETag            timestamp         `json:"etag"`
	DeviceID        string            `json:"device_id,omitempty"`
	Type            string            `json:"event_type"`
	TypeCategory    string            `json:"event_type_category"`
	TypeDescription string            `json:"event_type_description"`
	Description     string            `json:"description"`
	StateChange     bool              `json:"state_change"`
	Changes         map[string]string `json:"changes"`
	Data            map[string]string `json:"data"`
	DateTime        timestamp         `json:"date_time"`
	CreatedAt       timestamp         `json:"created_at"`
}

func showEvent(event *cloud.DeviceEvent) eventAnswer {
	return eventAnswer{
		Object:          "device-event",
		ID:              event.ID,
		ETag:            timestamp(event.At),
		DeviceID:        event.DeviceID,
		Type:            string(event.Type),
		TypeCategory:    "device",
		TypeDescription: event.Type.Meaning(),
		Description:     event.Description,
		StateChange:     event.StateChange,
		Changes:         orEmptyMap(event.Changes),
		Data:            orEmptyMap(event.Data),
		DateTime:        timestamp(event.At),
		CreatedAt:       timestamp(event.At),
	}
}

// orEmptyMap keeps null out of answers.
func orEmptyMap(texts map[string]string) map[string]string {
	if texts == nil {
		return map[string]string{}
	}
	return texts
}

func (a *API) listEvents(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	events, err := a.service.DeviceEvents(c.Context(), c.who, query)
	if err != nil {
		return answer{}, err
	}
	return page(query, events, showEvent), nil
}

func (a *API) event(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	event, err := a.service.DeviceEvent(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showEvent(event)}, nil
}
