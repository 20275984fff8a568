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

		{"GET", "/v2/notification/callback", keyHolders, (*API).callback, "This API key's callback", nil, nil, http.StatusOK, callbackAnswer{}},
		{"PUT", "/v2/notification/callback", keyHolders, (*API).setCallback, "Have what comes for this API key sent to an address, which has to answer an empty PUT with 200 or 204", nil, callbackBody{}, http.StatusNoContent, nil},
		{"DELETE", "/v2/notification/callback", keyHolders, (*API).deleteCallback, "Delete this API key's callback", nil, nil, http.StatusNoContent, nil},

		{"GET", "/v2/notification/websocket", keyHolders, (*API).socket, "This API key's websocket channel", nil, nil, http.StatusOK, socketAnswer{}},
		{"PUT", "/v2/notification/websocket", keyHolders, (*API).registerSocket, "Make this API key's channel one for a websocket; 200 if it is one", nil, socketBody{}, http.StatusCreated, socketAnswer{}},
		{"DELETE", "/v2/notification/websocket", keyHolders, (*API).deleteSocket, "Delete this API key's websocket channel", nil, nil, http.StatusNoContent, nil},
		{"GET", "/v2/notification/websocket-connect", anyone, (*API).openSocket, "Open the websocket; the API key may be the sub-protocol pelion_KEY beside wss", nil, nil, http.StatusSwitchingProtocols, nil},
	}
}
