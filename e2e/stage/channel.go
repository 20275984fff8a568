package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Channel asks many devices at once and takes their answers out of the one
// notification channel of an API key, by long poll. It lives through restarts
// of the service; questions asked before one get no answer.
type Channel struct {
	base, key string
	client    *http.Client
	numbers   atomic.Uint64
	run       string

	mu       sync.Mutex
	waiting  map[string]chan<- Answer
	reported chan Notification
}

// Question is something to be asked of a device.
type Question struct {
	Method      string `json:"method"`
	URI         string `json:"uri"` // such as /3/0/0, or /3/0/0?pmin=5
	Accept      string `json:"accept,omitempty"`
	ContentType string `json:"content-type,omitempty"`
	Payload     []byte `json:"payload-b64,omitempty"`
}

// Answer is what a device said, or why it said nothing.
type Answer struct {
	ID      string `json:"id"`
	Status  int    `json:"status"`
	Error   string `json:"error"`
	Type    string `json:"ct"`
	Payload []byte `json:"payload"` // base64 on the wire
}

// Notification is what a device reported.
type Notification struct {
	Device  string `json:"ep"`
	Path    string `json:"path"`
	Type    string `json:"ct"`
	Payload []byte `json:"payload"` // base64 on the wire
}

// mostReported is how many notifications wait to be looked at; later ones are
// lost.
const mostReported = 1000

// repoll is the pause after a poll that failed, as it does while the service
// is away.
const repoll = 100 * time.Millisecond

// OpenChannel polls the channel of a key until ctx ends.
func (s *Service) OpenChannel(ctx context.Context, key string) *Channel {
	c := &Channel{
		base:    s.HTTP,
		key:     key,
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DialContext: s.opts.Dial}},
		run:     strconv.FormatInt(time.Now().UnixNano(), 36),
		waiting: map[string]chan<- Answer{},

		reported: make(chan Notification, mostReported),
	}
	go func() {
		for ctx.Err() == nil {
			if err := c.poll(ctx); err != nil {
				time.Sleep(repoll)
			}
		}
	}()
	return c
}

func (c *Channel) poll(ctx context.Context) error {
	var message struct {
		Answers  []Answer       `json:"async-responses"`
		Reported []Notification `json:"notifications"`
	}
	if err := c.call(ctx, http.MethodGet, "/v2/notification/pull", nil, &message); err != nil {
		return err
	}
	for _, notification := range message.Reported {
		select {
		case c.reported <- notification:
		default:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answer := range message.Answers {
		if waiting, ok := c.waiting[answer.ID]; ok {
			waiting <- answer // has room for the one answer
			delete(c.waiting, answer.ID)
		}
	}
	return nil
}

// Reported are the notifications of all devices that are subscribed to.
func (c *Channel) Reported() <-chan Notification { return c.reported }

// Read reads a resource of a device, such as /3/0/0, and returns its value.
func (c *Channel) Read(ctx context.Context, device, path string) ([]byte, error) {
	answer, err := c.Ask(ctx, device, Question{Method: http.MethodGet, URI: path})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("device %s answered %d %s", device, answer.Status, answer.Error)
	}
	return answer.Payload, nil
}

// Ask asks a device something and waits for its answer, whatever that is.
func (c *Channel) Ask(ctx context.Context, device string, question Question) (Answer, error) {
	id := c.run + "-" + strconv.FormatUint(c.numbers.Add(1), 36)
	answered := make(chan Answer, 1)
	c.mu.Lock()
	c.waiting[id] = answered
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, id)
	}()
	if err := c.call(ctx, http.MethodPost, "/v2/device-requests/"+device+"?async-id="+url.QueryEscape(id), question, nil); err != nil {
		return Answer{}, err
	}
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("device %s did not answer: %w", device, ctx.Err())
	}
}

// Subscribe subscribes to a resource of a device; Unsubscribe ends that.
func (c *Channel) Subscribe(ctx context.Context, device, path string) error {
	return c.call(ctx, http.MethodPut, "/v2/subscriptions/"+device+path, nil, nil)
}

// Unsubscribe ends a subscription.
func (c *Channel) Unsubscribe(ctx context.Context, device, path string) error {
	return c.call(ctx, http.MethodDelete, "/v2/subscriptions/"+device+path, nil, nil)
}

// Get asks the REST API for something that is read from it as JSON.
func (c *Channel) Get(ctx context.Context, path string, result any) error {
	return c.call(ctx, http.MethodGet, path, nil, result)
}

// Metric is the sum of the service's numbers of a name (at /metrics).
func (c *Channel) Metric(ctx context.Context, name string) (float64, error) {
	text, err := c.send(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		labelled, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if metric, _, _ := strings.Cut(labelled, "{"); metric != name {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Post makes something in the REST API; what it answers is read as JSON.
func (c *Channel) Post(ctx context.Context, path string, body, result any) error {
	return c.call(ctx, http.MethodPost, path, body, result)
}

// DeviceIDs are the ids of the registered devices.
func (c *Channel) DeviceIDs(ctx context.Context) ([]string, error) {
	var ids []string
	for after := ""; ; {
		var page struct {
			More bool `json:"has_more"`
			Data []struct {
				ID string `json:"id"`
			} `json:"data"`
		}
		if err := c.Get(ctx, "/v3/devices?limit=1000&state__eq=registered&after="+after, &page); err != nil {
			return nil, err
		}
		for _, device := range page.Data {
			ids = append(ids, device.ID)
		}
		if !page.More || len(page.Data) == 0 {
			return ids, nil
		}
		after = ids[len(ids)-1]
	}
}

func (c *Channel) call(ctx context.Context, method, path string, body, result any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	data, err := c.send(ctx, method, path, content)
	if err != nil || result == nil || len(data) == 0 {
		return err
	}
	return json.Unmarshal(data, result)
}

// send returns the body of a successful answer.
func (c *Channel) send(ctx context.Context, method, path string, content []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode < 200 || response.StatusCode > 299) {
		err = fmt.Errorf("the service answered %s: %s", response.Status, data)
	}
	return data, err
}
