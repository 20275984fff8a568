package cloudapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mbl/internal/objectid"
)

// Observed is a value that a device reported.
type Observed struct {
	Path        string
	ContentType string // media type of the payload; may be empty
	Payload     []byte
}

// ObservationFailed is why a device does not report of a path.
type ObservationFailed struct {
	Path   string
	Answer DeviceAnswer // its Status is that of a failure
}

func (e *ObservationFailed) Error() string {
	return fmt.Sprintf("the device answered %d %s to observing %s", e.Answer.Status, e.Answer.Error, e.Path)
}

const (
	subscriptionsPath = "/v2/subscriptions/"
	farewell          = 5 * time.Second // to end the subscriptions
)

// subscribed is the answer to a subscription: empty if it stands already.
type subscribed struct {
	AsyncID string `json:"async-response-id"`
}

var _ optional = (*subscribed)(nil)

func (*subscribed) mayBeEmpty() {}

// notices are what a poll of the notification channel brings.
type notices struct {
	Answers       []asyncResponse `json:"async-responses"`
	Notifications []struct {
		Device      string `json:"ep"`
		Path        string `json:"path"`
		ContentType string `json:"ct"`
		Payload     string `json:"payload"`
	} `json:"notifications"`
	Registrations []struct {
		Device string `json:"ep"`
	} `json:"registrations"`
}

// observing is an observation of some paths of one device.
type observing struct {
	client  *Client
	device  string
	paths   []string
	asked   map[string]string // path by the id of an answer to come
	deliver func(Observed) error
}

// Observe calls deliver with the present value of each path of a device and
// with each value that the device reports from then on, until ctx ends or
// deliver returns an error, which it returns; the subscriptions end then. A
// device that registers anew is subscribed to again. What comes through the
// notification channel of the API key for others is lost. A refusal of the
// service is an *Error whose Type is its word, one of the device an
// *ObservationFailed.
func (c *Client) Observe(ctx context.Context, deviceID string, paths []string, deliver func(Observed) error) error {
	o := &observing{client: c.patient(), device: deviceID, paths: paths, asked: map[string]string{}, deliver: deliver}
	defer o.end(context.WithoutCancel(ctx))
	if err := o.subscribe(ctx); err != nil {
		return err
	}
	for {
		var got notices
		err := o.client.call(ctx, http.MethodGet, pullPath, nil, nil, &got)
		switch {
		case errors.Is(err, ErrConflict): // another program polls with the key
			if err := pause(ctx, busyPause); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("cannot wait for notifications: %w", err)
		}
		if err := o.take(ctx, got); err != nil {
			return err
		}
	}
}

// subscribe subscribes to every path. One that the device reports of already
// is read besides, as its present value comes by itself only with a request.
func (o *observing) subscribe(ctx context.Context) error {
	for _, path := range o.paths {
		var answer subscribed
		if err := o.client.call(ctx, http.MethodPut, o.address(path), nil, nil, &answer); err != nil {
			return fmt.Errorf("cannot subscribe to %s: %w", path, err)
		}
		if answer.AsyncID != "" {
			o.asked[answer.AsyncID] = path
			continue
		}
		id := objectid.NewSource(time.Now).New()
		if err := o.client.sendToDevice(ctx, o.device, id, DeviceRequest{Method: http.MethodGet, Path: path}); err != nil {
			return err
		}
		o.asked[id] = path
	}
	return nil
}

func (o *observing) take(ctx context.Context, got notices) error {
	for _, answer := range got.Answers {
		path, ours := o.asked[answer.ID]
		if !ours {
			continue
		}
		delete(o.asked, answer.ID)
		decoded, err := answer.decode(o.client.base)
		if err != nil {
			return err
		}
		if decoded.Status >= http.StatusBadRequest {
			return &ObservationFailed{path, *decoded}
		}
		if err := o.deliver(Observed{path, decoded.ContentType, decoded.Payload}); err != nil {
			return err
		}
	}
	for _, n := range got.Notifications {
		if n.Device != o.device || !slices.Contains(o.paths, n.Path) {
			continue
		}
		payload, err := base64.StdEncoding.DecodeString(n.Payload)
		if err != nil {
			return &NotServiceError{URL: o.client.base, Err: err}
		}
		if err := o.deliver(Observed{n.Path, n.ContentType, payload}); err != nil {
			return err
		}
	}
	for _, registration := range got.Registrations {
		if registration.Device == o.device { // which ended the subscriptions
			return o.subscribe(ctx)
		}
	}
	return nil
}

// end ends the subscriptions, as far as the service can be reached.
func (o *observing) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	for _, path := range o.paths {
		if err := o.client.callOnce(ctx, http.MethodDelete, o.address(path), nil, nil, nil); err != nil {
			o.client.log.DebugContext(ctx, "cannot end a subscription", "path", path, "error", err)
		}
	}
}

// address is where a path's subscription is; its segments are numbers, or
// words of the device's own.
func (o *observing) address(path string) string {
	address := subscriptionsPath + url.PathEscape(o.device)
	for _, segment := range strings.Split(strings.Trim(path, "/"), "/") {
		address += "/" + url.PathEscape(segment)
	}
	return address
}
