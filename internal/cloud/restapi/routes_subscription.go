package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// subscriptionRoutes are the rows of version 2 about what devices report.
func subscriptionRoutes() []route {
	const (
		all      = "/v2/subscriptions"
		device   = "/v2/subscriptions/{id}"
		resource = "/v2/subscriptions/{id}/{path...}"
	)
	rules := []cloud.Presubscription{}
	return []route{
		{"GET", all, keyHolders, (*API).presubscriptions, "The rules by which this API key subscribes to devices as they register", nil, nil, http.StatusOK, rules},
		{"PUT", all, keyHolders, (*API).setPresubscriptions, "Put rules in place of the present ones", nil, rules, http.StatusNoContent, nil},
		{"DELETE", all, keyHolders, (*API).deletePresubscriptions, "Delete the rules", nil, nil, http.StatusNoContent, nil},

		{"GET", device, keyHolders, (*API).listSubscriptions, "What this API key subscribes to of a device, one path a line", nil, nil, http.StatusOK, nil},
		{"DELETE", device, keyHolders, (*API).unsubscribeDevice, "End all this API key's subscriptions of a device", nil, nil, http.StatusNoContent, nil},

		{"GET", resource, keyHolders, (*API).subscribed, "Is this API key subscribed to a resource?", nil, nil, http.StatusOK, nil},
		{"PUT", resource, keyHolders, (*API).subscribe, "Be told of what a device reports of a resource, until it registers anew; 200 if it does so already", nil, nil, http.StatusAccepted, asyncAnswer{}},
		{"DELETE", resource, keyHolders, (*API).unsubscribe, "End a subscription", nil, nil, http.StatusNoContent, nil},
	}
}
