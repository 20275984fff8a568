package restapi

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

// resourceAnswer is a resource of a registered device.
type resourceAnswer struct {
	URI        string `json:"uri"`
	Type       string `json:"rt,omitempty"`
	Format     string `json:"type,omitempty"`
	Observable bool   `json:"obs"`
}

// asyncAnswer names the answer that will come through the channel.
type asyncAnswer struct {
	ID string `json:"async-response-id"`
}

func (a *API) listResources(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	links, err := a.connect.Resources(c.Context(), c.who, id)
	if errors.Is(err, connect.ErrNotConnected) {
		err = connect.ErrDeviceNotFound // what is documented here; clients ask again after 429
	}
	if err != nil {
		return answer{}, err
	}
	shown := make([]resourceAnswer, 0, len(links))
	for _, link := range links {
		shown = append(shown, resourceAnswer{
			URI:        link.Path,
			Type:       link.Attributes["rt"],
			Format:     link.Attributes["ct"],
			Observable: connect.Observable(link),
		})
	}
	return answer{http.StatusOK, shown}, nil
}

// readResource answers from the cache what is still good there, and asks the
// device for everything else.
func (a *API) readResource(c *call) (answer, error) {
	cacheOnly, err := c.flag("cacheOnly")
	if err != nil {
		return answer{}, err
	}
	silent, err := c.flag("noResp")
	if err != nil {
		return answer{}, err
	}
	if !cacheOnly && (silent || len(c.forDevice()) > 0) {
		return a.sendToResource(c)
	}
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	value, known, err := a.connect.Cached(c.Context(), c.who, id, c.resource())
	wanted := c.accepted()
	switch {
	case err != nil:
		return answer{}, err
	case known && (cacheOnly || wanted == "" || wanted == "*/*" || wanted == value.Type):
		return answer{http.StatusOK, text{value.Type, value.Payload}}, nil
	case cacheOnly:
		return answer{status: http.StatusResetContent}, nil
	default:
		return a.sendToResource(c)
	}
}

// sendToResource passes a request on to a device. What is not for this API in
// its query is for the device.
func (a *API) sendToResource(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	payload, err := io.ReadAll(io.LimitReader(c.Body, connect.MaxPayload+1))
	if err != nil {
		return answer{}, cloud.Refuse(errBody, "the body cannot be read")
	}
	if len(payload) > connect.MaxPayload {
		return answer{}, errTooLarge
	}
	silent, err := c.flag("noResp")
	if err != nil {
		return answer{}, err
	}
	asyncID := a.connect.NewID()
	err = a.connect.Send(c.Context(), c.who, connect.Request{
		DeviceID: id, ID: asyncID, Method: c.Method, Path: c.resource(), Query: c.forDevice(),
		Accept: c.accepted(), ContentType: c.sent(), Payload: payload, Silent: silent,
	})
	if err != nil {
		return answer{}, err
	}
	if silent {
		return answer{status: http.StatusNoContent}, nil
	}
	return answer{http.StatusAccepted, asyncAnswer{asyncID}}, nil
}

// flag is a parameter of the query that is true or false, as clients write
// those; an absent one is false.
func (c *call) flag(name string) (bool, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	set, err := strconv.ParseBool(text)
	if err != nil {
		return false, cloud.RefuseField(name, "is not true or false")
	}
	return set, nil
}

// forDevice is what of the query is for the device.
func (c *call) forDevice() []string {
	var options []string
	for name, values := range c.URL.Query() {
		for _, value := range values {
			if name != "noResp" && name != "cacheOnly" {
				options = append(options, name+"="+value)
			}
		}
	}
	slices.Sort(options)
	return options
}

// deviceID is the device in the path.
func (c *call) deviceID() (string, error) {
	id, err := c.pathID()
	if errors.Is(err, cloud.ErrNotFound) {
		return "", connect.ErrDeviceNotFound
	}
	return id, err
}

// accepted is the one media type that the caller wants of the device. Lists
// and JSON are what clients ask of any API: they stand for whatever there is.
func (c *call) accepted() string {
	wanted := c.Header.Get("Accept")
	if strings.Contains(wanted, ",") || wanted == "application/json" {
		return ""
	}
	return wanted
}

// sent is the media type of the body. Those that clients send when nobody
// told them are none.
func (c *call) sent() string {
	switch kind := c.Header.Get("Content-Type"); kind {
	case "application/x-www-form-urlencoded", "application/json":
		return ""
	default:
		return kind
	}
}
