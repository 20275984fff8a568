package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// backlog is what waits for one API key when the service stops.
type backlog struct {
	Polls    bool             `json:"polls,omitempty"` // its channel is one for long polls
	Events   []*Message       `json:"events,omitempty"`
	Requests []waitingRequest `json:"requests,omitempty"`
}

// waitingRequest is a request that its device has not answered.
type waitingRequest struct {
	Turn    int       `json:"turn"` // among all
	Device  string    `json:"device"`
	ID      string    `json:"id"`
	Method  coap.Code `json:"method"`
	Path    string    `json:"path"`
	Query   []string  `json:"query,omitempty"`
	Accept  *uint16   `json:"accept,omitempty"`
	Format  *uint16   `json:"format,omitempty"`
	Payload []byte    `json:"payload,omitempty"`
	Expires time.Time `json:"expires"`
	Retries int       `json:"retries,omitempty"`
	Silent  bool      `json:"silent,omitempty"`

	Subscribes bool `json:"subscribes,omitempty"` // the answer says whether the device will report
	key        string
}

// Save keeps what waits for the next start. Call it when nothing can come any
// more: Run has returned, or was not called at all after Load.
func (s *Service) Save(ctx context.Context) error {
	s.mu.Lock()
	waiting := s.waitingRequests()
	s.mu.Unlock()
	var kept []cloud.Backlog
	for keyID, left := range s.channels.backlogs(waiting) {
		body, err := json.Marshal(left)
		if err != nil {
			return fmt.Errorf("cannot write what waits for key %s: %w", keyID, err)
		}
		kept = append(kept, cloud.Backlog{KeyID: keyID, Body: body})
	}
	return s.memory.SaveBacklogs(ctx, kept)
}

// waitingRequests are those of API keys, those that Run did not come to take up
// among them; the service's own are made anew. Something that a device may have
// done already is not asked for again: its key is told that the device is not
// connected. s.mu is held.
func (s *Service) waitingRequests() []waitingRequest {
	var all []waitingRequest
	for device, q := range s.queues {
		for _, j := range q.jobs {
			if j.own {
				continue
			}
			if j.begun && j.request.Code == coap.POST {
				s.channels.toKey(j.key, s.fail(j, failureOf(cloud.ErrNotConnected)))
				continue
			}
			all = append(all, waitingRequest{
				Turn: len(all), Device: device, ID: j.id, Method: j.request.Code, Path: j.path, Query: j.request.Query,
				Accept: j.request.Accept, Format: j.request.ContentFormat, Payload: j.request.Payload,
				Expires: j.expires, Retries: j.retries, Silent: j.silent, Subscribes: j.done != nil, key: j.key,
			})
		}
	}
	for _, request := range s.left {
		request.Turn = len(all)
		all = append(all, request)
	}
	return all
}

func (c *channels) backlogs(waiting []waitingRequest) map[string]*backlog {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*backlog{}
	of := func(keyID string) *backlog {
		if all[keyID] == nil {
			all[keyID] = &backlog{}
		}
		return all[keyID]
	}
	for keyID, ch := range c.byKey {
		for _, p := range ch.pending {
			of(keyID).Events = append(of(keyID).Events, whole(p.message))
		}
		if ch.kind == LongPoll {
			of(keyID).Polls = true
		}
	}
	for _, request := range waiting {
		left := of(request.key)
		left.Requests = append(left.Requests, request)
	}
	return all
}

// whole is a message with all that is known of its events.
func whole(m *Message) *Message {
	return serialization{objects: true, uids: true, times: true, names: true}.dress(m)
}

// loadBacklogs takes up what waited when an earlier run stopped.
func (s *Service) loadBacklogs(ctx context.Context) error {
	kept, err := s.memory.TakeBacklogs(ctx)
	if err != nil {
		return err
	}
	for _, each := range kept {
		var left backlog
		if err := json.Unmarshal(each.Body, &left); err != nil {
			s.log.ErrorContext(ctx, "cannot read what waits for an API key", "key", each.KeyID, "error", err)
			continue // the others' is taken out of the store already
		}
		s.channels.takeUp(each, left)
		for _, request := range left.Requests {
			request.key = each.KeyID
			s.left = append(s.left, request)
		}
	}
	slices.SortFunc(s.left, func(a, b waitingRequest) int { return cmp.Compare(a.Turn, b.Turn) })
	return nil
}

func (c *channels) takeUp(of cloud.Backlog, left backlog) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.open(of.KeyID, of.AccountID)
	if left.Polls && ch.kind == NoChannel {
		ch.kind = LongPoll
	}
	for _, m := range left.Events {
		c.put(ch, c.pack(m))
	}
}

// resume queues the requests that waited when an earlier run stopped. Their
// devices have yet to come back, so they wait as if those were asleep. What is
// not queued when ctx ends is left for Save.
func (s *Service) resume(ctx context.Context) {
	for len(s.left) > 0 {
		request := s.left[0]
		err := s.enqueue(request.Device, s.resumed(request))
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			s.log.ErrorContext(ctx, "a request that waited is lost", "device", request.Device, "error", err)
		}
		s.left = s.left[1:]
	}
}

func (s *Service) resumed(request waitingRequest) *job {
	if request.Subscribes {
		subscription := cloud.Subscription{KeyID: request.key, DeviceID: request.Device, Path: request.Path}
		j := s.subscribing(cloud.Principal{KeyID: request.key}, subscription, true)
		j.id, j.expires = request.ID, request.Expires
		return j
	}
	return &job{
		id: request.ID, key: request.key, path: request.Path, retries: request.Retries,
		expires: request.Expires, silent: request.Silent, patient: true,
		request: &coap.Request{
			Code: request.Method, Path: segments(request.Path), Query: request.Query,
			Accept: request.Accept, ContentFormat: request.Format, Payload: request.Payload,
		},
	}
}
