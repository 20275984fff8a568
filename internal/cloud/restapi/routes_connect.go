package restapi

import (
	"net/http"

	"mbl/internal/cloud/connect"
)

// connectRoutes are the rows of the API's older version 2: requests to
// connected devices, and the channel their answers come through.
func connectRoutes() []route {
	const resource = "/v2/endpoints/{id}/{path...}"
	return []route{
		{"GET", "/v2/endpoints/{id}", keyHolders, (*API).listResources, "What a registered device has", nil, nil, http.StatusOK, []resourceAnswer{}},
		{"GET", resource, keyHolders, (*API).readResource, "Ask a device for a value", nil, nil, http.StatusAccepted, asyncAnswer{}},
		{"PUT", resource, keyHolders, (*API).sendToResource, "Write a value to a device", nil, nil, http.StatusAccepted, asyncAnswer{}},
		{"POST", resource, keyHolders, (*API).sendToResource, "Have a device do something", nil, nil, http.StatusAccepted, asyncAnswer{}},
		{"DELETE", resource, keyHolders, (*API).sendToResource, "Delete something of a device", nil, nil, http.StatusAccepted, asyncAnswer{}},

		{"POST", "/v2/device-requests/{id}", keyHolders, (*API).requestOfDevice, "Send a request to a device; the query names it (async-id)", nil, deviceRequestBody{}, http.StatusAccepted, nil},

		{"GET", "/v2/notification/pull", keyHolders, (*API).pull, "Wait for what comes for this API key; 204 after half a minute of nothing", nil, nil, http.StatusOK, connect.Message{}},
		{"DELETE", "/v2/notification/pull", keyHolders, (*API).closeChannel, "Delete this API key's channel", nil, nil, http.StatusOK, nil},
		{"GET", "/v2/notification/channel", keyHolders, (*API).channel, "The kind of this API key's channel", nil, nil, http.StatusOK, channelAnswer{}},
		{"GET", "/v2/notification/callback", keyHolders, (*API).callback, "This API key's callback; there are none", nil, nil, http.StatusOK, nil},
	}
}
