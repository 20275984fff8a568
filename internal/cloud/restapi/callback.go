package restapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

// callbackBody is where what comes for an API key is sent.
type callbackBody struct {
	URL           *string           `json:"url"`
	Headers       map[string]string `json:"headers"`
	Serialization json.RawMessage   `json:"serialization"`
}

type callbackAnswer struct {
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers"`
	Serialization json.RawMessage   `json:"serialization,omitempty"`
}

func (a *API) callback(c *call) (answer, error) {
	settings, err := a.connect.Callback(c.who)
	if err != nil {
		return answer{}, err
	}
	shown := callbackAnswer{settings.URL, settings.Headers, settings.Serialization}
	if shown.Headers == nil {
		shown.Headers = map[string]string{}
	}
	return answer{http.StatusOK, shown}, nil
}

func (a *API) setCallback(c *call) (answer, error) {
	if !c.mayBeJSON() {
		return answer{}, connect.ErrMediaType
	}
	var body callbackBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	settings := cloud.ChannelSettings{URL: valueOf(body.URL), Headers: body.Headers, Serialization: body.Serialization}
	return answer{status: http.StatusNoContent}, a.connect.SetCallback(c.Context(), c.who, settings)
}

// mayBeJSON tells whether the body's media type allows it to be JSON. One that
// clients send when nobody told them any says nothing.
func (c *call) mayBeJSON() bool {
	kind, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "", "application/json", "application/x-www-form-urlencoded":
		return true
	default:
		return false
	}
}

func (a *API) deleteCallback(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, a.connect.DeleteCallback(c.Context(), c.who)
}
