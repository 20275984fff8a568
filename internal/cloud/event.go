package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mbl/internal/objectid"
)

// DeviceEvent is something that happened to a device.
type DeviceEvent struct {
	ID          string
	AccountID   string
	DeviceID    string // empty if there is no device (yet)
	Type        EventType
	Description string
	StateChange bool
	Changes     map[string]string // device fields with their new values; may be nil
	Data        map[string]string // what else is known; may be nil
	At          time.Time
}

// EventType says what happened.
type EventType string

// The types of events. Registration updates write none: a thousand devices
// would write a thousand a minute.
const (
	EventBootstrap           EventType = "bootstrap"
	EventBootstrapRefused    EventType = "bootstrap-refused"
	EventAdmission           EventType = "admission"
	EventAdmissionRefused    EventType = "admission-refused"
	EventRegistration        EventType = "registration"
	EventDeregistration      EventType = "deregistration"
	EventRegistrationExpired EventType = "registration-expired"
	EventCertificateDeleted  EventType = "certificate-deleted"
	EventDeviceCreated       EventType = "creation"
	EventDeviceUpdated       EventType = "update-by-user"
	EventDeviceDeleted       EventType = "deletion"
	EventDeviceSuspended     EventType = "suspension"
	EventDeviceResumed       EventType = "resumption"
)

// eventDescriptions says in words what each type means.
var eventDescriptions = map[EventType]string{
	EventBootstrap:           "The device got its LwM2M credentials",
	EventBootstrapRefused:    "A bootstrap was refused",
	EventAdmission:           "The device came with an LwM2M certificate of its own",
	EventAdmissionRefused:    "A device with an LwM2M certificate of its own was refused",
	EventRegistration:        "The device registered",
	EventDeregistration:      "The device ended its registration",
	EventRegistrationExpired: "The device was silent for its registration's lifetime",
	EventCertificateDeleted:  "The certificate the device came with was deleted",
	EventDeviceCreated:       "The directory entry was made before the device came",
	EventDeviceUpdated:       "The directory entry was changed",
	EventDeviceDeleted:       "The directory entry was deleted",
	EventDeviceSuspended:     "The device was suspended: it may not connect",
	EventDeviceResumed:       "The device may connect again",
}

// Meaning says in words what a type of event means.
func (t EventType) Meaning() string { return eventDescriptions[t] }

// EventFields may be filtered in lists of device events.
func EventFields() Fields {
	return Fields{
		"date_time":    {Kind: Time, Operators: order},
		"id":           {Kind: ID, Operators: equality},
		"device_id":    {Kind: ID, Operators: equality},
		"description":  {Kind: Text, Operators: equality},
		"event_type":   {Kind: Text, Operators: equality},
		"state_change": {Kind: Boolean, Operators: equality},
	}
}

// DeviceEvents lists the account's device events.
func (s *Service) DeviceEvents(ctx context.Context, who Principal, query Query) (Page[*DeviceEvent], error) {
	query.Conditions = slices.Concat(query.Conditions, beginnings(query.Conditions))
	return s.store.Events(ctx, who.AccountID, query)
}

// beginnings says of ids what conditions say of the time after which events
// happened, so that a list of the last hour need not go through years: an event
// gets its id, which holds the time, right after its time. The minute is for
// what was written in another order.
func beginnings(conditions []Condition) []Condition {
	var same []Condition
	for _, condition := range conditions {
		if condition.Field == "date_time" && condition.Operator == GreaterEqual {
			first := objectid.First(condition.Values[0].(time.Time).Add(-time.Minute))
			same = append(same, Condition{Field: "id", Operator: GreaterEqual, Values: []any{first}})
		}
	}
	return same
}

// DeviceEvent reads a device event.
func (s *Service) DeviceEvent(ctx context.Context, who Principal, id string) (*DeviceEvent, error) {
	event, err := s.store.Event(ctx, id)
	if err != nil {
		return nil, err
	}
	if event.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return event, nil
}

// newEvent makes an event about a device as it is now.
func (s *Service) newEvent(device *Device, kind EventType) *DeviceEvent {
	now := s.now()
	return &DeviceEvent{
		ID:          s.ids.New(),
		AccountID:   device.AccountID,
		DeviceID:    device.ID,
		Type:        kind,
		Description: kind.Meaning(),
		At:          now,
	}
}

// setState changes a device's state and makes the event that says so.
func (s *Service) setState(device *Device, state DeviceState, kind EventType) *DeviceEvent {
	event := s.newEvent(device, kind)
	if device.State != state {
		event.StateChange = true
		event.Changes = map[string]string{"state": string(state)}
	}
	device.State, device.UpdatedAt = state, event.At
	return event
}

// refusalPeriod is how often the same refusal is recorded: a refused device
// comes back every few seconds, for ever.
const refusalPeriod = 10 * time.Minute

// recordRefusal records that a device with known credentials was refused.
// A device id nobody has is left out: whoever makes up ids could fill the
// store with refusals that all look different.
func (s *Service) recordRefusal(ctx context.Context, proved *proof, kind EventType, request BootstrapRequest, refusal *Refusal) error {
	deviceID := request.DeviceID
	if _, err := s.store.Device(ctx, deviceID); errors.Is(err, ErrNotFound) {
		deviceID = ""
	} else if err != nil {
		return err
	}
	if err := s.recordDenial(ctx, proved); err != nil {
		return err
	}
	event := &DeviceEvent{
		ID:          s.ids.New(),
		AccountID:   proved.accountID,
		DeviceID:    deviceID,
		Type:        kind,
		Description: refusal.Message,
		Data:        map[string]string{"certificate_id": proved.certificateID(), "remote_address": request.RemoteAddr},
		At:          s.now(),
	}
	recent, err := s.store.Events(ctx, event.AccountID, Query{Limit: 1, Conditions: []Condition{
		where("event_type", string(event.Type)),
		where("device_id", event.DeviceID),
		where("description", event.Description),
		{Field: "date_time", Operator: GreaterEqual, Values: []any{event.At.Add(-refusalPeriod)}},
	}})
	if err != nil || len(recent.Items) > 0 {
		return err
	}
	if err := s.store.Update(ctx, func(w Writer) error { return w.InsertEvent(ctx, event) }); err != nil {
		return fmt.Errorf("cannot record a refused bootstrap: %w", err)
	}
	return nil
}

// eventRetention is how long device events are kept.
const eventRetention = 90 * 24 * time.Hour

// ForgetOldEvents deletes the device events that are older than is kept.
func (s *Service) ForgetOldEvents(ctx context.Context) error {
	before := s.now().Add(-eventRetention)
	return s.store.Update(ctx, func(w Writer) error {
		count, err := w.DeleteEvents(ctx, before)
		if count > 0 {
			s.log.InfoContext(ctx, "forgot old device events", "count", count)
		}
		return err
	})
}
