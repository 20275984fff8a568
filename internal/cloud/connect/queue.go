package connect

import (
	"context"
	"errors"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// job is a request that waits for its device.
type job struct {
	id, key, path string
	request       *coap.Request
	expires       time.Time
	retries       int  // left
	patient       bool // the device sleeps; it is asked whenever it is heard of
	silent        bool
}

// queue are the jobs of one device, the first of them at work. It exists
// while there are any. Service.mu guards it.
type queue struct {
	device string
	jobs   []*job
	asking bool          // the first job's request is on its way
	wake   chan struct{} // holds one element when the device was heard of
}

// failure is why a request got no answer, as clients are told.
type failure struct {
	status int
	word   string
}

const settle = time.Second // the answer to the device's registration goes first

func (s *Service) enqueue(ctx context.Context, device string, j *job) error {
	s.mu.Lock()
	q := s.queues[device]
	size := len(j.request.Payload)
	if (q != nil && len(q.jobs) >= s.limits.QueuedRequests) || s.queuedBytes+size > s.limits.QueuedBytes {
		s.mu.Unlock()
		return ErrQueueFull
	}
	s.queuedBytes += size
	if q != nil {
		q.jobs = append(q.jobs, j)
		s.mu.Unlock()
		return nil
	}
	q = &queue{device: device, jobs: []*job{j}, wake: make(chan struct{}, 1)}
	s.queues[device] = q
	s.mu.Unlock()
	select {
	case s.starts <- q:
	case <-s.stopping:
		return context.Canceled
	}
	return nil
}

// workOff sends a queue's requests, one at a time in their order.
func (s *Service) workOff(ctx context.Context, q *queue) {
	for j := s.first(q); j != nil; j = s.first(q) {
		pause, message := s.try(ctx, q, j)
		if message != nil {
			s.finish(q, j, message)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		s.rest(ctx, q, min(pause, j.expires.Sub(s.now())))
	}
}

// first is the job to work on; without one the queue ends.
func (s *Service) first(q *queue) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.jobs) == 0 {
		delete(s.queues, q.device)
		return nil
	}
	q.asking = true
	return q.jobs[0]
}

// try asks once: it returns what to tell the caller, or how long to wait
// before trying again.
func (s *Service) try(ctx context.Context, q *queue, j *job) (pause time.Duration, told *Message) {
	left := j.expires.Sub(s.now())
	if left <= 0 {
		return 0, failed(j.id, failure{429, "REQUEST_EXPIRED"})
	}
	asked, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	response, err := s.devices.Do(asked, q.device, j.request)
	s.mu.Lock()
	q.asking = false
	s.mu.Unlock()
	switch {
	case err == nil:
		return 0, s.understand(q.device, j, response)
	case ctx.Err() != nil:
		return 0, nil
	case asked.Err() != nil:
		return 0, failed(j.id, failure{429, "REQUEST_EXPIRED"})
	case j.patient:
		return left, nil
	case j.retries > 0:
		j.retries--
		return retryPause(j.retries), nil
	default:
		s.log.Debug("a device does not answer", "device", q.device, "error", err)
		return 0, failed(j.id, failureOf(err))
	}
}

// retryPause grows as fewer retries are left, up to an hour or so.
func retryPause(left int) time.Duration {
	return 2 * time.Minute << min(maxRetries-1-left, 5)
}

func failureOf(err error) failure {
	switch {
	case errors.Is(err, cloud.ErrNotConnected), errors.Is(err, coap.ErrClosed):
		return failure{503, "NOT_CONNECTED"}
	case errors.Is(err, coap.ErrTimeout):
		return failure{504, "TIMEOUT"}
	default:
		return failure{502, "BAD_GATEWAY"}
	}
}

// understand turns a device's answer into what the caller is told. CoAP's
// codes are HTTP's with a dot (RFC 7252, section 5.9), but for a success.
func (s *Service) understand(device string, j *job, response *coap.Response) *Message {
	if !response.Code.IsSuccess() {
		return failed(j.id, failure{int(response.Code.Class())*100 + int(response.Code.Detail()), codeWord(response.Code)})
	}
	value := newValue(response)
	if j.request.Code != coap.GET {
		s.values.forget(device)
	} else if len(j.request.Query) == 0 {
		s.values.keep(device, j.path, value)
	}
	status := 200
	if response.Code == coap.Created {
		status = 201
	}
	return answered(j.id, status, value)
}

func codeWord(code coap.Code) string {
	words := map[coap.Code]string{
		coap.BadRequest: "BAD_REQUEST", coap.Unauthorized: "UNAUTHORIZED", coap.BadOption: "BAD_OPTION",
		coap.Forbidden: "FORBIDDEN", coap.NotFound: "NOT_FOUND", coap.MethodNotAllowed: "METHOD_NOT_ALLOWED",
		coap.NotAcceptable: "NOT_ACCEPTABLE", coap.PreconditionFailed: "PRECONDITION_FAILED",
		coap.RequestEntityTooLarge: "REQUEST_ENTITY_TOO_LARGE", coap.UnsupportedContentFormat: "UNSUPPORTED_CONTENT_FORMAT",
		coap.InternalServerError: "INTERNAL_SERVER_ERROR", coap.NotImplemented: "NOT_IMPLEMENTED",
		coap.ServiceUnavailable: "SERVICE_UNAVAILABLE", coap.GatewayTimeout: "GATEWAY_TIMEOUT",
	}
	if word, known := words[code]; known {
		return word
	}
	return code.String()
}

// finish ends a job, unless it was ended meanwhile.
func (s *Service) finish(q *queue, j *job, told *Message) {
	s.mu.Lock()
	ours := len(q.jobs) > 0 && q.jobs[0] == j
	if ours {
		q.jobs = q.jobs[1:]
		s.queuedBytes -= len(j.request.Payload)
	}
	s.mu.Unlock()
	if ours && !j.silent {
		s.channels.toKey(j.key, told)
	}
}

// rest waits until the device is heard of, or for a time.
func (s *Service) rest(ctx context.Context, q *queue, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return
	case <-ctx.Done():
		return
	case <-q.wake:
	}
	timer.Reset(settle)
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// heard tries again what waits for a device.
func (s *Service) heard(device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[device]; q != nil {
		q.knock()
	}
}

func (q *queue) knock() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// clear ends what waits for a device that has left. The request on its way
// gets its own answer.
func (s *Service) clear(device string) {
	s.mu.Lock()
	var ended []*job
	if q := s.queues[device]; q != nil {
		kept := 0
		if q.asking {
			kept = 1
		}
		ended = q.jobs[min(kept, len(q.jobs)):]
		q.jobs = q.jobs[:len(q.jobs)-len(ended)]
		q.knock()
	}
	for _, j := range ended {
		s.queuedBytes -= len(j.request.Payload)
	}
	s.mu.Unlock()
	for _, j := range ended {
		if !j.silent {
			s.channels.toKey(j.key, failed(j.id, failure{429, "DEVICE_REMOVED_REGISTRATION"}))
		}
	}
}
