package restapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

// maxRulesBody is the size of the largest list of pre-subscriptions: all the
// rules there may be, with a path or two each.
const maxRulesBody = 1 << 20

func (a *API) listSubscriptions(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	paths, err := a.connect.Subscribed(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	if len(paths) == 0 {
		return answer{}, connect.ErrNoSubscription
	}
	// Clients split the list at line feeds: RFC 2483's ends of lines would stay
	// in the paths.
	return answer{http.StatusOK, text{"text/uri-list", []byte(strings.Join(paths, "\n"))}}, nil
}

func (a *API) subscribed(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	paths, err := a.connect.Subscribed(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	for _, path := range paths {
		if path == c.resource() {
			return answer{status: http.StatusOK}, nil
		}
	}
	return answer{}, connect.ErrNoSubscription
}

func (a *API) subscribe(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	asyncID, err := a.connect.Subscribe(c.Context(), c.who, id, c.resource(), c.patience())
	if err != nil {
		return answer{}, err
	}
	if asyncID == "" {
		return answer{status: http.StatusOK}, nil
	}
	return answer{http.StatusAccepted, asyncAnswer{asyncID}}, nil
}

// patience is how long a subscription waits for the device. The vendor's SDK
// for JavaScript never settles one that is answered 202, and gives up after
// five seconds.
func (c *call) patience() time.Duration {
	if strings.HasPrefix(c.Header.Get("User-Agent"), "mbed-cloud-sdk-javascript") {
		return 4 * time.Second
	}
	return 0
}

func (a *API) unsubscribe(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, a.connect.Unsubscribe(c.Context(), c.who, id, c.resource())
}

func (a *API) unsubscribeDevice(c *call) (answer, error) {
	id, err := c.deviceID()
	if err != nil {
		return answer{}, err
	}
	gone := answer{status: http.StatusNoContent}
	paths, err := a.connect.Subscribed(c.Context(), c.who, id)
	if errors.Is(err, connect.ErrDeviceNotFound) {
		return gone, nil // clients clean up after a device that was deleted
	}
	if err != nil {
		return answer{}, err
	}
	return gone, a.connect.Unsubscribe(c.Context(), c.who, id, paths...)
}

// resource is the resource in the path. Some clients escape its slashes.
func (c *call) resource() string {
	segments := strings.FieldsFunc(c.PathValue("path"), func(r rune) bool { return r == '/' })
	return "/" + strings.Join(segments, "/")
}

func (a *API) presubscriptions(c *call) (answer, error) {
	rules := a.connect.Presubscriptions(c.who)
	if rules == nil {
		rules = []cloud.Presubscription{}
	}
	return answer{http.StatusOK, rules}, nil
}

func (a *API) setPresubscriptions(c *call) (answer, error) {
	var listed []*cloud.Presubscription
	body, err := io.ReadAll(io.LimitReader(c.Body, maxRulesBody+1))
	if err != nil || len(body) > maxRulesBody || json.Unmarshal(body, &listed) != nil || listed == nil || slices.Contains(listed, nil) {
		return answer{}, cloud.Refuse(errBody, "the body is not a JSON array of rules")
	}
	rules := make([]cloud.Presubscription, 0, len(listed))
	for _, rule := range listed {
		rules = append(rules, *rule)
	}
	return answer{status: http.StatusNoContent}, a.connect.SetPresubscriptions(c.Context(), c.who, rules)
}

func (a *API) deletePresubscriptions(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, a.connect.SetPresubscriptions(c.Context(), c.who, nil)
}
