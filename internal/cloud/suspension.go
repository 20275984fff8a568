package cloud

import (
	"context"
	"slices"
	"time"
)

// Suspension is what a user has last said about whether a device may connect.
type Suspension struct {
	Active      bool
	Category    string // Reference of a BlockCategory; empty if nothing was ever said
	Description string
	ChangedAt   time.Time
}

// BlockCategory is a reason to suspend a device.
type BlockCategory struct {
	Reference   string
	Description string
}

// BlockCategories are the reasons there are, by reference.
func BlockCategories() []BlockCategory {
	return []BlockCategory{
		{"lost_or_stolen", "The device is lost or stolen."},
		{"maintenance", "The device is suspended for maintenance."},
		{"other", "Another reason, which the description tells."},
		{"security", "The device is no longer trusted."},
	}
}

const otherCategory = "other"

// BlockCategoryFields may be filtered in the list of reasons.
func BlockCategoryFields() Fields {
	return Fields{"reference": {Kind: Text, Operators: equality}}
}

// ListBlockCategories lists the reasons, which are few enough for one page.
func ListBlockCategories(query Query) Page[BlockCategory] {
	var chosen []BlockCategory
	for _, category := range BlockCategories() {
		if query.holds(func(string) any { return category.Reference }) {
			chosen = append(chosen, category)
		}
	}
	if query.Descending {
		slices.Reverse(chosen)
	}
	return Page[BlockCategory]{Items: chosen, Total: len(chosen)}
}

func checkCategory(reference string) error {
	for _, category := range BlockCategories() {
		if category.Reference == reference {
			return nil
		}
	}
	return RefuseField("category", "is not the reference of a device block category")
}

// SuspendDevice keeps a device from connecting until it is resumed: it neither
// bootstraps nor registers, and its present session ends. It returns ErrInvalid
// for a category that does not exist; an empty one is "other".
func (s *Service) SuspendDevice(ctx context.Context, who Principal, id, category, description string) error {
	if category == "" {
		category = otherCategory
	}
	if err := checkCategory(category); err != nil {
		return err
	}
	if err := checkDescription(description, maxDeviceDescription); err != nil {
		return err
	}
	registered := false
	var suspended Identity
	err := s.changeSuspension(ctx, who, id, func(w Writer, device *Device) (event *DeviceEvent, err error) {
		suspended = device.identity()
		device.Suspension = Suspension{Active: true, Category: category, Description: description}
		if registered, err = isRegistered(ctx, w, id); err != nil || !registered {
			return s.newEvent(device, EventDeviceSuspended), err
		}
		return s.newEvent(device, EventDeviceSuspended), s.endRegistration(ctx, w, device, EventDeregistration)
	})
	if err != nil {
		return err
	}
	if registered { // first, so that what waits for the device learns why
		s.watcher.RegistrationEnded(suspended, Suspended)
	}
	s.connections.Disconnect(id)
	return nil
}

// ResumeDevice lets a suspended device connect again. It returns ErrInvalid if
// the device is not suspended, or for a category that it was not suspended for.
func (s *Service) ResumeDevice(ctx context.Context, who Principal, id, category, description string) error {
	if err := checkDescription(description, maxDeviceDescription); err != nil {
		return err
	}
	return s.changeSuspension(ctx, who, id, func(_ Writer, device *Device) (*DeviceEvent, error) {
		if !device.Suspension.Active {
			return nil, Refuse(ErrInvalid, "the device is not suspended")
		}
		if category != "" && category != device.Suspension.Category {
			return nil, RefuseField("category", "is not the one the device was suspended for, %s", device.Suspension.Category)
		}
		device.Suspension.Active, device.Suspension.Description = false, description
		return s.newEvent(device, EventDeviceResumed), nil
	})
}

// changeSuspension records what change makes of a device's suspension.
func (s *Service) changeSuspension(ctx context.Context, who Principal, id string, change func(Writer, *Device) (*DeviceEvent, error)) error {
	return s.store.Update(ctx, func(w Writer) error {
		device, err := ownDevice(ctx, w, who, id)
		if err != nil {
			return err
		}
		event, err := change(w, device)
		if err != nil {
			return err
		}
		device.Suspension.ChangedAt = event.At
		event.Data = map[string]string{"category": device.Suspension.Category, "reason": device.Suspension.Description}
		if err := w.SaveSuspension(ctx, id, device.Suspension); err != nil {
			return err
		}
		if err := w.InsertEvent(ctx, event); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, string(event.Type), id))
	})
}
