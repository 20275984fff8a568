package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// access is what a route asks of the caller.
type access int

const (
	anyone         access = iota // no API key
	keyHolders                   // any valid API key
	administrators               // an API key of the group Administrators
)

// route is one row of the table: a method of a path, who may call it, what
// answers it, and what the OpenAPI document says about it.
type route struct {
	method  string
	path    string // with {id}; served with and without a trailing slash
	access  access
	handle  func(*API, *call) (answer, error)
	summary string
	list    *listRules // for lists: how they are paged and filtered
	body    any        // a zero value of the request's body; nil if there is none
	status  int        // of success
	answer  any        // a zero value of the answer's body; nil if there is none
}

// routes is the table.
func routes() []route {
	apiKeys := &listRules{fields: cloud.APIKeyFields()}
	certificates := &listRules{fields: cloud.CertificateFields()}
	devices := &listRules{fields: cloud.DeviceFields(), clamp: true}
	events := &listRules{fields: cloud.EventFields(), clamp: true}
	return []route{
		{"GET", "/healthz", anyone, (*API).health, "Is the service ready?", nil, nil, http.StatusOK, healthAnswer{}},
		{"GET", "/openapi.json", anyone, (*API).describeAPI, "This document", nil, nil, http.StatusOK, map[string]any{}},

		{"GET", "/v3/accounts/me", keyHolders, (*API).account, "The caller's account", nil, nil, http.StatusOK, accountAnswer{}},

		{"GET", "/v3/api-keys", administrators, (*API).listAPIKeys, "List API keys", apiKeys, nil, http.StatusOK, listAnswer[apiKeyAnswer]{}},
		{"POST", "/v3/api-keys", administrators, (*API).createAPIKey, "Create an API key; its text is shown only here", nil, apiKeyBody{}, http.StatusCreated, apiKeyAnswer{}},
		{"GET", "/v3/api-keys/me", keyHolders, (*API).ownAPIKey, "The caller's API key", nil, nil, http.StatusOK, apiKeyAnswer{}},
		{"PUT", "/v3/api-keys/me", keyHolders, (*API).updateOwnAPIKey, "Change the caller's API key", nil, apiKeyBody{}, http.StatusOK, apiKeyAnswer{}},
		{"GET", "/v3/api-keys/{id}", keyHolders, (*API).apiKey, "Read an API key", nil, nil, http.StatusOK, apiKeyAnswer{}},
		{"PUT", "/v3/api-keys/{id}", keyHolders, (*API).updateAPIKey, "Change an API key", nil, apiKeyBody{}, http.StatusOK, apiKeyAnswer{}},
		{"DELETE", "/v3/api-keys/{id}", keyHolders, (*API).deleteAPIKey, "Delete an API key", nil, nil, http.StatusNoContent, nil},
		{"POST", "/v3/api-keys/{id}/reset-secret", keyHolders, (*API).resetAPIKeySecret, "Give an API key a new secret; its text is shown only here, and the key's callback and its waiting requests are deleted", nil, nil, http.StatusOK, apiKeyAnswer{}},

		{"POST", "/v3/developer-certificates", keyHolders, (*API).createDeveloperCertificate, "Create a developer certificate", nil, developerCertificateBody{}, http.StatusCreated, developerCertificateAnswer{}},
		{"GET", "/v3/developer-certificates/{id}", keyHolders, (*API).developerCertificate, "Read a developer certificate with its private key", nil, nil, http.StatusOK, developerCertificateAnswer{}},

		{"GET", "/v3/device-certificates", keyHolders, (*API).listIdentities, "List the bootstrap certificates of single devices", certificates, nil, http.StatusOK, listAnswer[trustedCertificateAnswer]{}},
		{"POST", "/v3/device-certificates", keyHolders, (*API).createIdentity, "Sign the bootstrap certificate of one device; the original service has no such thing", nil, identityBody{}, http.StatusCreated, trustedCertificateAnswer{}},

		{"GET", "/v3/trusted-certificates", keyHolders, (*API).listTrustedCertificates, "List trusted certificates", certificates, nil, http.StatusOK, listAnswer[trustedCertificateAnswer]{}},
		{"GET", "/v3/trusted-certificates/{id}", keyHolders, (*API).trustedCertificate, "Read a trusted certificate", nil, nil, http.StatusOK, trustedCertificateAnswer{}},
		{"DELETE", "/v3/trusted-certificates/{id}", keyHolders, (*API).deleteTrustedCertificate, "Delete a trusted certificate and those under it (an uploaded one: administrators only); their devices are cut off", nil, nil, http.StatusNoContent, nil},

		{"GET", "/v3/server-credentials", keyHolders, (*API).serverCredentials, "Both servers' addresses and CA certificates", nil, nil, http.StatusOK, allServerCredentialsAnswer{}},
		{"GET", "/v3/server-credentials/bootstrap", keyHolders, (*API).bootstrapCredential, "The bootstrap server's address and CA certificate", nil, nil, http.StatusOK, serverCredentialAnswer{}},
		{"GET", "/v3/server-credentials/lwm2m", keyHolders, (*API).lwm2mCredential, "The LwM2M server's address and CA certificate", nil, nil, http.StatusOK, serverCredentialAnswer{}},

		{"GET", "/v3/devices", keyHolders, (*API).listDevices, "List devices", devices, nil, http.StatusOK, listAnswer[deviceAnswer]{}},
		{"GET", "/v3/devices/{id}", keyHolders, (*API).device, "Read a device's directory entry", nil, nil, http.StatusOK, deviceAnswer{}},
		{"PUT", "/v3/devices/{id}", keyHolders, (*API).updateDevice, "Change a device's directory entry", nil, deviceBody{}, http.StatusOK, deviceAnswer{}},
		{"DELETE", "/v3/devices/{id}", keyHolders, (*API).deleteDevice, "Delete a device's directory entry; the device is cut off", nil, nil, http.StatusNoContent, nil},

		{"GET", "/v3/device-events", keyHolders, (*API).listEvents, "List device events", events, nil, http.StatusOK, listAnswer[eventAnswer]{}},
		{"GET", "/v3/device-events/{id}", keyHolders, (*API).event, "Read a device event", nil, nil, http.StatusOK, eventAnswer{}},
		{"GET", "/v3/devicelog", keyHolders, (*API).listEvents, "The same as device-events", events, nil, http.StatusOK, listAnswer[eventAnswer]{}},
		{"GET", "/v3/devicelog/{id}", keyHolders, (*API).event, "The same as device-events", nil, nil, http.StatusOK, eventAnswer{}},
	}
}
