package connect

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// watched is what is known of a device's observations. interests.mu guards it.
type watched struct {
	name    string             // the device's endpoint name
	session uint64             // on which the reports below came
	auto    map[string]string  // path of what the device reports by itself, by token
	byRule  map[string]keySet  // keys that subscribe by rule, by path
	reports map[string]*report // by path
}

// report is how a device reports of one path.
type report struct {
	accepted bool // it has taken our request to observe
	asked    bool // such a request waits or is on its way
	numbered bool // number and at are of its latest notification
	number   uint32
	at       time.Time
}

const (
	autoToken        = 2 // bytes: resources that devices observe on the service's behalf
	observationToken = 4 // bytes: those that the service observes
)

// tokenOf is the token by which a path of a device is observed. It is always
// the same, so that a notification is understood after a restart, and a
// repeated request to observe renews the observation instead of adding one
// (RFC 7641, section 4.1).
func tokenOf(deviceID, path string) []byte {
	sum := sha256.Sum256([]byte(deviceID + path))
	return sum[:observationToken]
}

// autoObserved reads the attribute aobs of a registration's links: a number n
// stands for the token of n's two bytes, big-endian.
func autoObserved(links []cloud.Link) map[string]string {
	paths := map[string]string{}
	for _, link := range links {
		text, auto := link.Attributes["aobs"]
		if !auto {
			continue
		}
		if n, err := strconv.ParseUint(text, 10, 16); err == nil {
			paths[string(binary.BigEndian.AppendUint16(nil, uint16(n)))] = link.Path
		}
	}
	return paths
}

// reportsItself tells whether a device observes a path on its own.
func (w *watched) reportsItself(path string) bool {
	for _, auto := range w.auto {
		if auto == path {
			return true
		}
	}
	return false
}

// meet forgets what belonged to another session: a device may have forgotten
// its observations, and may count its notifications from the start.
func (w *watched) meet(session uint64) {
	if w.session != session {
		w.session = session
		clear(w.reports)
	}
}

func (w *watched) report(path string) *report {
	if w.reports[path] == nil {
		w.reports[path] = &report{}
	}
	return w.reports[path]
}

// orderPeriod is after how long any notification is newer than the one before
// (RFC 7641, section 3.4).
const orderPeriod = 128 * time.Second

// take tells whether a notification is newer than the latest, and counts it as
// the latest then.
func (r *report) take(number uint32, now time.Time) bool {
	const half = 1 << 23
	number &= 1<<24 - 1
	newer := !r.numbered || now.Sub(r.at) > orderPeriod ||
		r.number < number && number-r.number < half ||
		r.number > number && r.number-number > half
	if newer {
		r.numbered, r.number, r.at = true, number, now
	}
	return newer
}

// watch returns what is known of a registered device. interests.mu is held;
// the store is asked under it, so that nothing older comes in its place.
func (s *Service) watch(ctx context.Context, deviceID string) (*watched, error) {
	w := s.interests.devices[deviceID]
	if w == nil {
		record, err := s.memory.DeviceRegistration(ctx, deviceID)
		if err != nil {
			return nil, err
		}
		w = s.interests.watch(record)
	}
	w.meet(s.devices.Session(deviceID))
	return w, nil
}

// Observed tells what path a device's token stands for. Of the resources that
// devices observe by themselves every token is known: those cannot be ended.
func (s *Service) Observed(ctx context.Context, deviceID string, token []byte) (path []string, known bool) {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	observed, err := s.observedPath(ctx, deviceID, token)
	if err != nil && !errors.Is(err, cloud.ErrNotFound) {
		s.log.Error("cannot tell what a notification is of", "device", deviceID, "error", err)
		return nil, true
	}
	if observed == "" {
		return nil, len(token) == autoToken
	}
	return segments(observed), true
}

// observedPath is "" for a token of nothing. interests.mu is held.
func (s *Service) observedPath(ctx context.Context, deviceID string, token []byte) (string, error) {
	w, err := s.watch(ctx, deviceID)
	if err != nil {
		return "", err
	}
	if path := w.auto[string(token)]; path != "" {
		return path, nil
	}
	for _, path := range s.interests.wanted(deviceID) {
		if string(tokenOf(deviceID, path)) == string(token) {
			return path, nil
		}
	}
	return "", nil
}

// Notified takes a notification of a device: it is its path's latest value,
// and goes to those who subscribe to that.
func (s *Service) Notified(ctx context.Context, deviceID string, token []byte, notification *coap.Response) {
	path, subscribers := s.takeNotification(ctx, deviceID, token, notification)
	s.heard(deviceID, false)
	if path == "" {
		return
	}
	value := newValue(notification)
	if value.MaxAge == 0 { // devices in the field say so of everything
		value.MaxAge = defaultMaxAge
	}
	s.values.keep(deviceID, path, value)
	s.report(deviceID, path, value, subscribers)
}

// takeNotification returns "" for a path that there is nothing to say of.
func (s *Service) takeNotification(ctx context.Context, deviceID string, token []byte, notification *coap.Response) (path string, subscribers keySet) {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	path, err := s.observedPath(ctx, deviceID, token)
	if err != nil || path == "" {
		s.log.Debug("a notification of something unknown", "device", deviceID, "token", token, "error", err)
		return "", nil
	}
	w := s.interests.devices[deviceID]
	if notification.Observe == nil || !notification.Code.IsSuccess() { // the last one (RFC 7641, section 3.2)
		delete(w.reports, path)
		if !notification.Code.IsSuccess() {
			return "", nil
		}
	} else if !w.report(path).take(*notification.Observe, s.now()) {
		return "", nil
	}
	return path, s.interests.subscribers(deviceID, path)
}

// report tells subscribers of a value.
func (s *Service) report(deviceID, path string, value Value, subscribers keySet) {
	if len(subscribers) == 0 {
		return
	}
	s.interests.mu.Lock()
	message := notified(deviceID, s.interests.name(deviceID), path, value)
	s.interests.mu.Unlock()
	for keyID := range subscribers {
		s.channels.toKey(keyID, message)
	}
}

// establish asks a device to report of what is wanted of it, as far as it does
// not already.
func (s *Service) establish(deviceID string) {
	session := s.devices.Session(deviceID)
	if session == 0 {
		return
	}
	s.interests.mu.Lock()
	var missing []string
	if w := s.interests.devices[deviceID]; w != nil {
		w.meet(session)
		for _, path := range s.interests.wanted(deviceID) {
			if report := w.report(path); !w.reportsItself(path) && !report.accepted && !report.asked {
				report.asked = true
				missing = append(missing, path)
			}
		}
	}
	s.interests.mu.Unlock()
	for _, path := range missing {
		s.enqueueOwn(deviceID, s.observing(deviceID, path))
	}
}

// observing is the service's own request to observe a path.
func (s *Service) observing(deviceID, path string) *job {
	return &job{
		own: true, path: path, request: observeRequest(deviceID, path, true),
		understand: func(response *coap.Response) *Message {
			if value, accepted := s.observes(deviceID, path, response); accepted {
				s.interests.mu.Lock()
				subscribers := s.interests.subscribers(deviceID, path)
				s.interests.mu.Unlock()
				s.report(deviceID, path, value, subscribers)
			}
			return nil
		},
		failed: func() { s.observesNot(deviceID, path) },
	}
}

// leaving is the service's own request to observe a path no longer.
func (s *Service) leaving(deviceID, path string) *job {
	return &job{
		own: true, path: path, request: observeRequest(deviceID, path, false),
		understand: func(*coap.Response) *Message { return nil },
	}
}

func observeRequest(deviceID, path string, begin bool) *coap.Request {
	request := &coap.Request{Code: coap.GET, Path: segments(path), Token: tokenOf(deviceID, path), Observe: new(uint32(0))}
	if !begin {
		request.Observe = new(uint32(1))
	}
	return request
}

// observes notes a device's answer to a request to observe: accepted tells
// whether it will report, and value is what it says now.
func (s *Service) observes(deviceID, path string, response *coap.Response) (value Value, accepted bool) {
	if !response.Code.IsSuccess() {
		s.observesNot(deviceID, path)
		return Value{}, false
	}
	value = newValue(response)
	s.values.keep(deviceID, path, value)
	if response.Observe == nil {
		s.observesNot(deviceID, path)
		return value, false
	}
	s.interests.mu.Lock()
	w := s.interests.devices[deviceID]
	if w != nil {
		*w.report(path) = report{accepted: true, numbered: true, number: *response.Observe, at: s.now()}
	}
	wanted := len(s.interests.subscribers(deviceID, path)) > 0
	s.interests.mu.Unlock()
	if !wanted { // any more
		s.enqueueOwn(deviceID, s.leaving(deviceID, path))
	}
	return value, true
}

func (s *Service) observesNot(deviceID, path string) {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	if w := s.interests.devices[deviceID]; w != nil {
		delete(w.reports, path)
	}
}
