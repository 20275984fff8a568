package cloudapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mbl/internal/objectid"
)

// DeviceRequest is something to be asked of a connected device.
type DeviceRequest struct {
	Method      string // GET, PUT, POST or DELETE
	Path        string // such as /3/0/0
	Accept      string // media type; empty: as the device likes
	ContentType string // media type of the payload; empty: none
	Payload     []byte
}

// DeviceAnswer is what became of a DeviceRequest.
type DeviceAnswer struct {
	Status      int    // as HTTP has it
	Error       string // one word, such as NOT_CONNECTED; empty for an answer of the device
	ContentType string // media type of the payload; may be empty
	Payload     []byte
}

const (
	longPoll    = 55 * time.Second // longer than a service lets a poll wait
	busyPause   = 500 * time.Millisecond
	devicesPath = "/v2/device-requests/"
	pullPath    = "/v2/notification/pull"
)

// asyncResponse is an answer as the notification channel delivers it.
type asyncResponse struct {
	ID          string `json:"id"`
	Status      int    `json:"status"`
	Error       string `json:"error"`
	ContentType string `json:"ct"`
	Payload     string `json:"payload"`
}

// AskDevice sends a request to a device and waits for the answer, until ctx
// ends. The answer comes through the notification channel of the API key,
// which is polled meanwhile: whatever else comes there is lost. A refusal is
// an *Error whose Type is the service's word, such as RESOURCE_NOT_FOUND.
func (c *Client) AskDevice(ctx context.Context, deviceID string, request DeviceRequest) (*DeviceAnswer, error) {
	id := objectid.NewSource(time.Now).New()
	if err := c.sendToDevice(ctx, deviceID, id, request); err != nil {
		return nil, err
	}
	return c.awaitAnswer(ctx, id)
}

// sendToDevice sends a request whose answer will come with the id.
func (c *Client) sendToDevice(ctx context.Context, deviceID, id string, request DeviceRequest) error {
	body := map[string]string{"method": request.Method, "uri": request.Path}
	for key, value := range map[string]string{
		"accept":       request.Accept,
		"content-type": request.ContentType,
		"payload-b64":  base64.StdEncoding.EncodeToString(request.Payload),
	} {
		if value != "" {
			body[key] = value
		}
	}
	query := url.Values{"async-id": {id}}
	if err := c.call(ctx, http.MethodPost, devicesPath+url.PathEscape(deviceID), query, body, nil); err != nil {
		return fmt.Errorf("the device %s: %w", deviceID, err)
	}
	return nil
}

// awaitAnswer polls until the answer with an id has come. A poll that another
// program has under way with the same key is waited for.
func (c *Client) awaitAnswer(ctx context.Context, id string) (*DeviceAnswer, error) {
	patient := c.patient()
	for {
		var message struct {
			Answers []asyncResponse `json:"async-responses"`
		}
		err := patient.call(ctx, http.MethodGet, pullPath, nil, nil, &message)
		switch {
		case errors.Is(err, ErrConflict):
			if err := pause(ctx, busyPause); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, fmt.Errorf("cannot wait for the device's answer: %w", err)
		}
		for _, answer := range message.Answers {
			if answer.ID == id {
				return answer.decode(c.base)
			}
		}
	}
}

func (a asyncResponse) decode(base string) (*DeviceAnswer, error) {
	payload, err := base64.StdEncoding.DecodeString(a.Payload)
	if err != nil {
		return nil, &NotServiceError{URL: base, Err: err}
	}
	return &DeviceAnswer{Status: a.Status, Error: a.Error, ContentType: a.ContentType, Payload: payload}, nil
}

func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patient is this client with time for a long poll.
func (c *Client) patient() *Client {
	patient, calls := *c, *c.http
	if transport, ok := calls.Transport.(*http.Transport); ok {
		transport = transport.Clone()
		transport.ResponseHeaderTimeout = longPoll
		calls.Transport = transport
	}
	calls.Timeout = longPoll
	patient.http = &calls
	return &patient
}
