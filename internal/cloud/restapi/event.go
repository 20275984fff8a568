package restapi

import (
	"maps"
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
	Changes         struct{}          `json:"changes"` // published as unused, with values that are objects
	Data            map[string]string `json:"data"`    // what is new of the device, among others
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
		Data:            together(event.Data, event.Changes),
		DateTime:        timestamp(event.At),
		CreatedAt:       timestamp(event.At),
	}
}

// together makes one map of two, and an empty one, not null, of none.
func together(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
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
