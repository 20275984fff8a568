package cloud

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
)

// DeviceGroup is a set of devices that users put together.
type DeviceGroup struct {
	ID               string
	AccountID        string
	Name             string // unique in the account
	Description      string
	CustomAttributes map[string]string
	Devices          int // how many there are in it; the store keeps the number
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// DeviceGroupChanges are what a user says of a group; nil leaves a field as it
// is. CustomAttributes replaces the whole map.
type DeviceGroupChanges struct {
	Name             *string
	Description      *string
	CustomAttributes map[string]string
}

const maxGroupAttributes = 10

// DeviceGroupFields may be filtered in lists of device groups.
func DeviceGroupFields() Fields {
	return Fields{
		"id":                {Kind: ID, Operators: equality},
		"name":              {Kind: Text, Operators: equality},
		"devices_count":     {Kind: Integer, Operators: order},
		"custom_attributes": {Kind: Attributes, Operators: either},
		"created_at":        {Kind: Time, Operators: order},
		"updated_at":        {Kind: Time, Operators: order},
		"etag":              {Kind: Time, Operators: order},
	}
}

// DeviceGroups lists the account's groups.
func (s *Service) DeviceGroups(ctx context.Context, who Principal, query Query) (Page[*DeviceGroup], error) {
	return s.store.DeviceGroups(ctx, who.AccountID, query)
}

// DeviceGroup reads a group.
func (s *Service) DeviceGroup(ctx context.Context, who Principal, id string) (*DeviceGroup, error) {
	return ownGroup(ctx, s.store, who, id)
}

func ownGroup(ctx context.Context, r Reader, who Principal, id string) (*DeviceGroup, error) {
	group, err := r.DeviceGroup(ctx, id)
	if err != nil {
		return nil, err
	}
	if group.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return group, nil
}

// DevicesOfGroup lists a group's devices.
func (s *Service) DevicesOfGroup(ctx context.Context, who Principal, groupID string, query Query) (Page[*Device], error) {
	if _, err := s.DeviceGroup(ctx, who, groupID); err != nil {
		return Page[*Device]{}, err
	}
	return s.store.DevicesOfGroup(ctx, groupID, query)
}

// CreateDeviceGroup makes a group without devices. It returns ErrConflict if
// the account has a group of this name.
func (s *Service) CreateDeviceGroup(ctx context.Context, who Principal, settings DeviceGroupChanges) (*DeviceGroup, error) {
	if settings.Name == nil {
		return nil, RefuseField("name", "is missing")
	}
	if err := settings.check(); err != nil {
		return nil, err
	}
	now := s.now()
	group := &DeviceGroup{ID: s.ids.New(), AccountID: who.AccountID, CreatedAt: now, UpdatedAt: now}
	settings.apply(group)
	auditNew(ctx, group.ID)
	err := s.store.Update(ctx, func(w Writer) error { return w.InsertDeviceGroup(ctx, group) })
	return group, groupNameTaken(err)
}

// UpdateDeviceGroup changes what a group is called. It returns ErrConflict if
// another group has the name.
func (s *Service) UpdateDeviceGroup(ctx context.Context, who Principal, id string, changes DeviceGroupChanges) (group *DeviceGroup, err error) {
	if err := changes.check(); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if group, err = ownGroup(ctx, w, who, id); err != nil {
			return err
		}
		if !changes.apply(group) {
			return nil
		}
		group.UpdatedAt = s.now()
		return w.UpdateDeviceGroup(ctx, group)
	})
	return group, groupNameTaken(err)
}

func groupNameTaken(err error) error {
	if errors.Is(err, ErrConflict) {
		return Refuse(ErrConflict, "a device group of this name exists")
	}
	return err
}

// DeleteDeviceGroup deletes a group; its devices stay.
func (s *Service) DeleteDeviceGroup(ctx context.Context, who Principal, id string) error {
	return s.store.Update(ctx, func(w Writer) error {
		if _, err := ownGroup(ctx, w, who, id); err != nil {
			return err
		}
		return w.DeleteDeviceGroup(ctx, id)
	})
}

// AddToDeviceGroup puts a device into a group; one that is in it already stays.
func (s *Service) AddToDeviceGroup(ctx context.Context, who Principal, groupID, deviceID string) error {
	return s.store.Update(ctx, func(w Writer) error {
		group, err := ownGroup(ctx, w, who, groupID)
		if err != nil {
			return err
		}
		if _, err := ownDevice(ctx, w, who, deviceID); err != nil {
			return err
		}
		added, err := w.AddToDeviceGroup(ctx, groupID, deviceID)
		return s.groupMoved(ctx, w, group, added, err)
	})
}

// RemoveFromDeviceGroup takes a device out of a group. It returns ErrNotFound
// if the device is not in it.
func (s *Service) RemoveFromDeviceGroup(ctx context.Context, who Principal, groupID, deviceID string) error {
	return s.store.Update(ctx, func(w Writer) error {
		group, err := ownGroup(ctx, w, who, groupID)
		if err != nil {
			return err
		}
		removed, err := w.RemoveFromDeviceGroup(ctx, groupID, deviceID)
		if err == nil && !removed {
			return Refuse(ErrNotFound, "the device is not in the group")
		}
		return s.groupMoved(ctx, w, group, removed, err)
	})
}

// groupMoved gives a group whose devices changed its new etag.
func (s *Service) groupMoved(ctx context.Context, w Writer, group *DeviceGroup, moved bool, err error) error {
	if err != nil || !moved {
		return err
	}
	group.UpdatedAt = s.now()
	return w.UpdateDeviceGroup(ctx, group)
}

func (c DeviceGroupChanges) check() error {
	if c.Name != nil {
		if strings.TrimSpace(*c.Name) == "" {
			return RefuseField("name", "is missing")
		}
		if err := checkText("name", *c.Name, maxDeviceName); err != nil {
			return err
		}
	}
	if c.Description != nil {
		if err := checkDescription(*c.Description, maxDeviceDescription); err != nil {
			return err
		}
	}
	return checkAttributes(c.CustomAttributes, maxGroupAttributes)
}

// apply changes the group and tells whether anything is new.
func (c DeviceGroupChanges) apply(group *DeviceGroup) (changed bool) {
	if c.Name != nil && *c.Name != group.Name {
		group.Name, changed = *c.Name, true
	}
	if c.Description != nil && *c.Description != group.Description {
		group.Description, changed = *c.Description, true
	}
	if c.CustomAttributes != nil && !maps.Equal(c.CustomAttributes, group.CustomAttributes) {
		group.CustomAttributes, changed = c.CustomAttributes, true
	}
	return changed
}
