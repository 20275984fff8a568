package restapi

import (
	"maps"

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
	return list(c, a.service.DeviceEvents, showEvent)
}

func (a *API) event(c *call) (answer, error) { return read(c, a.service.DeviceEvent, showEvent) }
