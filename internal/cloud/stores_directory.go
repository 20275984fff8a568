package cloud

import "context"

// DeviceGroupReader reads device groups.
type DeviceGroupReader interface {
	DeviceGroup(ctx context.Context, id string) (*DeviceGroup, error)
	// DeviceGroups lists an account's groups by the fields of DeviceGroupFields.
	DeviceGroups(ctx context.Context, accountID string, query Query) (Page[*DeviceGroup], error)
	// DevicesOfGroup lists a group's devices by the fields of DeviceFields.
	DevicesOfGroup(ctx context.Context, groupID string, query Query) (Page[*Device], error)
}

// DeviceGroupWriter writes device groups. Names are unique in an account.
type DeviceGroupWriter interface {
	// InsertDeviceGroup and UpdateDeviceGroup do not write the number of devices.
	InsertDeviceGroup(ctx context.Context, group *DeviceGroup) error
	UpdateDeviceGroup(ctx context.Context, group *DeviceGroup) error
	DeleteDeviceGroup(ctx context.Context, id string) error
	// AddToDeviceGroup tells whether the device was not in the group before.
	AddToDeviceGroup(ctx context.Context, groupID, deviceID string) (added bool, err error)
	// RemoveFromDeviceGroup tells whether the device was in the group.
	RemoveFromDeviceGroup(ctx context.Context, groupID, deviceID string) (removed bool, err error)
}

// DeviceQueryReader reads saved device queries.
type DeviceQueryReader interface {
	DeviceQuery(ctx context.Context, id string) (*DeviceQuery, error)
	// DeviceQueries lists an account's queries by the fields of DeviceQueryFields.
	DeviceQueries(ctx context.Context, accountID string, query Query) (Page[*DeviceQuery], error)
}

// DeviceQueryWriter writes saved device queries.
type DeviceQueryWriter interface {
	InsertDeviceQuery(ctx context.Context, query *DeviceQuery) error
	UpdateDeviceQuery(ctx context.Context, query *DeviceQuery) error
	DeleteDeviceQuery(ctx context.Context, id string) error
}
