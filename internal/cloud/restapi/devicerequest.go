package restapi

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

type deviceRequestBody struct {
	Method      string  `json:"method"`
	URI         string  `json:"uri"`
	Accept      *string `json:"accept"`
	ContentType *string `json:"content-type"`
	Payload     *string `json:"payload-b64"`
}

// maxDeviceRequest is the size of the largest body, whose payload is base64.
const maxDeviceRequest = connect.MaxPayload/3*4 + 4096

func (a *API) requestOfDevice(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	request, err := c.deviceRequest()
	if err != nil {
		return answer{}, err
	}
	request.DeviceID = id
	return answer{status: http.StatusAccepted}, a.connect.Send(c.Context(), c.who, request)
}

func (c *call) deviceRequest() (connect.Request, error) {
	var body deviceRequestBody
	text, err := io.ReadAll(io.LimitReader(c.Body, maxDeviceRequest+1))
	if err != nil || len(text) > maxDeviceRequest || json.Unmarshal(text, &body) != nil {
		return connect.Request{}, cloud.Refuse(errBody, "the body is not a JSON object")
	}
	if body.Method == "" || body.URI == "" {
		return connect.Request{}, connect.ErrRequest
	}
	payload, err := base64.StdEncoding.DecodeString(valueOf(body.Payload))
	if err != nil {
		return connect.Request{}, connect.ErrRequest
	}
	path, options, _ := strings.Cut(body.URI, "?")
	parameters := c.URL.Query()
	retries, err := number(parameters, "retry")
	if err != nil {
		return connect.Request{}, err
	}
	seconds, err := number(parameters, "expiry-seconds")
	if err != nil {
		return connect.Request{}, err
	}
	var expiry *time.Duration
	if seconds != nil {
		expiry = new(time.Duration(*seconds) * time.Second)
	}
	return connect.Request{
		ID: parameters.Get("async-id"), Method: strings.ToUpper(body.Method),
		Path: "/" + strings.Trim(path, "/"), Query: strings.FieldsFunc(options, func(r rune) bool { return r == '&' }),
		Accept: valueOf(body.Accept), ContentType: valueOf(body.ContentType), Payload: payload,
		Retries: retries, Expiry: expiry,
	}, nil
}

func valueOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// number is a parameter of the query that is a small number; nil if it is
// absent.
func number(parameters url.Values, name string) (*int, error) {
	text := parameters.Get(name)
	if text == "" {
		return nil, nil
	}
	value, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil, connect.ErrRequest
	}
	return new(int(value)), nil
}
