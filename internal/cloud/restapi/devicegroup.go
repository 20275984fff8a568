package restapi

import (
	"net/http"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

type deviceGroupAnswer struct {
	Object           string            `json:"object"`
	ID               string            `json:"id"`
	ETag             timestamp         `json:"etag"`
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	CustomAttributes map[string]string `json:"custom_attributes"`
	DevicesCount     int               `json:"devices_count"`
	CreatedAt        timestamp         `json:"created_at"`
	UpdatedAt        timestamp         `json:"updated_at"`
}

type deviceGroupBody struct {
	Name             *string            `json:"name"`
	Description      *string            `json:"description"`
	CustomAttributes *map[string]string `json:"custom_attributes"`
}

// membershipBody names the device that is put into a group or taken out.
type membershipBody struct {
	DeviceID *string `json:"device_id"`
}

func showDeviceGroup(group *cloud.DeviceGroup) deviceGroupAnswer {
	return deviceGroupAnswer{
		Object:           "device-group",
		ID:               group.ID,
		ETag:             timestamp(group.UpdatedAt),
		Name:             group.Name,
		Description:      group.Description,
		CustomAttributes: together(group.CustomAttributes, nil),
		DevicesCount:     group.Devices,
		CreatedAt:        timestamp(group.CreatedAt),
		UpdatedAt:        timestamp(group.UpdatedAt),
	}
}

func (c *call) deviceGroupChanges() (cloud.DeviceGroupChanges, error) {
	var body deviceGroupBody
	if err := c.decode(&body); err != nil {
		return cloud.DeviceGroupChanges{}, err
	}
	changes := cloud.DeviceGroupChanges{Name: body.Name, Description: body.Description}
	if body.CustomAttributes != nil {
		changes.CustomAttributes = together(*body.CustomAttributes, nil)
	}
	return changes, nil
}

func (a *API) listDeviceGroups(c *call) (answer, error) {
	return list(c, a.service.DeviceGroups, showDeviceGroup)
}

func (a *API) createDeviceGroup(c *call) (answer, error) {
	settings, err := c.deviceGroupChanges()
	if err != nil {
		return answer{}, err
	}
	group, err := a.service.CreateDeviceGroup(c.Context(), c.who, settings)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showDeviceGroup(group)}, nil
}

func (a *API) deviceGroup(c *call) (answer, error) {
	return read(c, a.service.DeviceGroup, showDeviceGroup)
}

func (a *API) updateDeviceGroup(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	changes, err := c.deviceGroupChanges()
	if err != nil {
		return answer{}, err
	}
	group, err := a.service.UpdateDeviceGroup(c.Context(), c.who, id, changes)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showDeviceGroup(group)}, nil
}

func (a *API) deleteDeviceGroup(c *call) (answer, error) {
	return remove(c, a.service.DeleteDeviceGroup)
}

func (a *API) listDevicesOfGroup(c *call) (answer, error) {
	return sublist(c, a.service.DevicesOfGroup, showDevice)
}

func (a *API) addToDeviceGroup(c *call) (answer, error) {
	groupID, deviceID, err := c.membership()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, a.service.AddToDeviceGroup(c.Context(), c.who, groupID, deviceID)
}

func (a *API) removeFromDeviceGroup(c *call) (answer, error) {
	groupID, deviceID, err := c.membership()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, a.service.RemoveFromDeviceGroup(c.Context(), c.who, groupID, deviceID)
}

func (c *call) membership() (groupID, deviceID string, err error) {
	if groupID, err = c.pathID(); err != nil {
		return "", "", err
	}
	var body membershipBody
	if err := c.decode(&body); err != nil {
		return "", "", err
	}
	if body.DeviceID == nil {
		return "", "", cloud.RefuseField("device_id", "is missing")
	}
	deviceID, ok := objectid.Normalize(*body.DeviceID)
	if !ok {
		return "", "", cloud.RefuseField("device_id", "is not an id")
	}
	return groupID, deviceID, nil
}
