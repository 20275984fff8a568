package restapi

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

type sharedKeyBody struct {
	EndpointName *string `json:"endpoint_name"`
	SecretHex    *string `json:"secret_hex"`
}

type sharedKeyAnswer struct {
	EndpointName string    `json:"endpoint_name"`
	CreatedAt    timestamp `json:"created_at"`
}

// sharedKeysAnswer is a page of pre-shared keys, which have no ids: the marker
// asks for the next one.
type sharedKeysAnswer struct {
	Object  string            `json:"object"`
	Data    []sharedKeyAnswer `json:"data"`
	HasMore bool              `json:"has_more"`
	Limit   int               `json:"limit"`
	Order   string            `json:"order"`
	After   string            `json:"after,omitempty"`
	Marker  string            `json:"continuation_marker,omitempty"`
}

func showSharedKey(key *cloud.SharedKey) sharedKeyAnswer {
	return sharedKeyAnswer{EndpointName: key.EndpointName, CreatedAt: timestamp(key.CreatedAt)}
}

const sharedKeysPath = "/v2/device-shared-keys"

// Words about pre-shared keys.
const (
	invalidEndpointName = "INVALID_ENDPOINT_NAME"
	invalidSecretHex    = "INVALID_SECRET_HEX"
)

func sharedKeyRoutes() []route {
	const one = sharedKeysPath + "/{path...}"
	return []route{
		{"GET", sharedKeysPath, keyHolders, (*API).listSharedKeys, "List the endpoint names that have pre-shared keys; continuation_marker is the after of the next page", nil, nil, http.StatusOK, sharedKeysAnswer{}},
		{"POST", sharedKeysPath, keyHolders, (*API).addSharedKey, "Let a device bootstrap by a pre-shared key", nil, sharedKeyBody{}, http.StatusCreated, nil},
		{"GET", one, keyHolders, (*API).sharedKey, "Has an endpoint name a pre-shared key?", nil, nil, http.StatusOK, sharedKeyAnswer{}},
		{"DELETE", one, keyHolders, (*API).deleteSharedKey, "Delete the pre-shared key of an endpoint name, if it has one", nil, nil, http.StatusNoContent, nil},
	}
}

func sharedKeyWordRules() []wordRule {
	return []wordRule{
		{cloud.ErrConflict, http.StatusConflict, "KEY_ALREADY_EXISTS_FOR_ENDPOINT"},
		{cloud.ErrInvalid, http.StatusBadRequest, invalidEndpointName},
		{errBody, http.StatusBadRequest, "MALFORMED_JSON_CONTENT"},
	}
}

func (a *API) addSharedKey(c *call) (answer, error) {
	var body sharedKeyBody
	if err := c.decode(&body); err != nil {
		return answer{}, mistypedSharedKey(err)
	}
	err := a.service.AddSharedKey(c.Context(), c.who, orEmpty(body.EndpointName), orEmpty(body.SecretHex))
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) && errors.Is(err, cloud.ErrInvalid) {
		return answer{http.StatusBadRequest, plain(sharedKeyProblems(refusal))}, nil
	}
	return answer{status: http.StatusCreated}, err
}

// mistypedSharedKey makes a field of the wrong type a malformed body, as this
// group of the API calls it.
func mistypedSharedKey(err error) error {
	if errors.Is(err, cloud.ErrInvalid) {
		return cloud.Refuse(errBody, "a field has the wrong type")
	}
	return err
}

func sharedKeyProblems(refusal *cloud.Refusal) string {
	words := map[string]string{cloud.SharedKeyNameField: invalidEndpointName, cloud.SharedKeySecretField: invalidSecretHex}
	var problems []string
	for _, field := range refusal.Fields {
		problems = append(problems, words[field.Name])
	}
	return strings.Join(problems, ",")
}

func (a *API) sharedKey(c *call) (answer, error) {
	key, err := a.service.SharedKey(c.Context(), c.who, c.PathValue("path"))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showSharedKey(key)}, nil
}

func (a *API) deleteSharedKey(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, a.service.DeleteSharedKey(c.Context(), c.who, c.PathValue("path"))
}

func (a *API) listSharedKeys(c *call) (answer, error) {
	query, problem := sharedKeysQuery(c.URL.Query())
	if problem != "" {
		return answer{http.StatusBadRequest, plain(problem)}, nil
	}
	keys, err := a.service.SharedKeys(c.Context(), c.who, query)
	if err != nil {
		return answer{}, err
	}
	body := sharedKeysAnswer{
		Object: "list", Data: []sharedKeyAnswer{}, HasMore: keys.HasMore, Limit: query.Limit, Order: "ASC", After: query.After,
	}
	for _, key := range keys.Items {
		body.Data = append(body.Data, showSharedKey(key))
	}
	if keys.HasMore {
		body.Marker = keys.Items[len(keys.Items)-1].ID
	}
	return answer{http.StatusOK, body}, nil
}

func sharedKeysQuery(parameters url.Values) (query cloud.Query, problem string) {
	query.Limit = defaultLimit
	if text := parameters.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit {
			return query, "INVALID_LIMIT"
		}
		query.Limit = limit
	}
	if after := parameters.Get("after"); after != "" {
		id, ok := objectid.Normalize(after)
		if !ok {
			return query, "TOKEN_NOT_FOUND"
		}
		query.After = id
	}
	return query, ""
}
