package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// directoryRoutes are the rows of the device directory besides devices and
// their events: entries made by users, groups and saved queries.
func directoryRoutes() []route {
	const group, query = "/v3/device-groups/{id}", "/v3/device-queries/{id}"
	devices := &listRules{fields: cloud.DeviceFields(), clamp: true}
	groups := &listRules{fields: cloud.DeviceGroupFields(), clamp: true}
	queries := &listRules{fields: cloud.DeviceQueryFields(), clamp: true}
	return []route{
		{"POST", "/v3/devices", keyHolders, (*API).createDevice, "Make a directory entry before its device comes", nil, deviceCreationBody{}, http.StatusCreated, deviceAnswer{}},

		{"GET", "/v3/device-groups", keyHolders, (*API).listDeviceGroups, "List device groups", groups, nil, http.StatusOK, listAnswer[deviceGroupAnswer]{}},
		{"POST", "/v3/device-groups", keyHolders, (*API).createDeviceGroup, "Make a device group", nil, deviceGroupBody{}, http.StatusCreated, deviceGroupAnswer{}},
		{"GET", group, keyHolders, (*API).deviceGroup, "Read a device group", nil, nil, http.StatusOK, deviceGroupAnswer{}},
		{"PUT", group, keyHolders, (*API).updateDeviceGroup, "Change a device group", nil, deviceGroupBody{}, http.StatusOK, deviceGroupAnswer{}},
		{"DELETE", group, keyHolders, (*API).deleteDeviceGroup, "Delete a device group; its devices stay", nil, nil, http.StatusNoContent, nil},
		{"GET", group + "/devices", keyHolders, (*API).listDevicesOfGroup, "List the devices of a group", devices, nil, http.StatusOK, listAnswer[deviceAnswer]{}},
		{"POST", group + "/devices/add", keyHolders, (*API).addToDeviceGroup, "Put a device into a group", nil, membershipBody{}, http.StatusNoContent, nil},
		{"POST", group + "/devices/remove", keyHolders, (*API).removeFromDeviceGroup, "Take a device out of a group", nil, membershipBody{}, http.StatusNoContent, nil},

		{"GET", "/v3/device-queries", keyHolders, (*API).listDeviceQueries, "List saved device filters", queries, nil, http.StatusOK, listAnswer[deviceQueryAnswer]{}},
		{"POST", "/v3/device-queries", keyHolders, (*API).createDeviceQuery, "Save a device filter", nil, deviceQueryBody{}, http.StatusCreated, deviceQueryAnswer{}},
		{"GET", query, keyHolders, (*API).deviceQuery, "Read a saved device filter", nil, nil, http.StatusOK, deviceQueryAnswer{}},
		{"PUT", query, keyHolders, (*API).updateDeviceQuery, "Replace a saved device filter", nil, deviceQueryBody{}, http.StatusOK, deviceQueryAnswer{}},
		{"DELETE", query, keyHolders, (*API).deleteDeviceQuery, "Forget a saved device filter", nil, nil, http.StatusNoContent, nil},
	}
}
