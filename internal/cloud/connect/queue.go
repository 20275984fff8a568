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
	since         time.Time // in the queue
	expires       time.Time
	retries       int // left
	retried       int
	patient       bool // the device sleeps; it is asked when it is heard of
	silent        bool
	begun         bool // the device may have got it

	own        bool                          // the service's own; it counts for no limit, and nobody is told
	understand func(*coap.Response) *Message // what to tell of an answer; nil: what it says
	failed     func()                        // there is no answer; may be nil
	done       chan struct{}                 // closed when the device has done as it was asked; may be nil
}

// queue are the jobs of one device, the first of them at work. It exists
// while there are any. Service.mu guards it.
type queue struct {
	device string
	jobs   []*job
	asking bool          // the first job's request is on its way
	owned  int           // jobs of the service itself
	wake   chan struct{} // holds one element when the device was heard of
}

const (
	settle = time.Second // the answer to the device's registration goes first
	// awakeTime is how long a sleeping device may be reached after it was
	// heard of (LwM2M 1.0, section 8.3: MAX_TRANSMIT_WAIT of RFC 7252).
	awakeTime = 93 * time.Second
	// ownExpiry bounds how long the service's own requests wait: a device that
	// comes back is asked anew.
	ownExpiry = 10 * time.Minute
)

// enqueueOwn queues a request of the service itself. Without room for it the
// device is asked at its next update.
func (s *Service) enqueueOwn(device string, j *job) {
	j.expires = s.now().Add(ownExpiry)
	if err := s.enqueue(device, j); err != nil && j.failed != nil {
		j.failed()
	}
}

func (s *Service) enqueue(device string, j *job) error {
	j.since = s.now()
	s.mu.Lock()
	q := s.queues[device]
	size := len(j.request.Payload)
	if !j.own && (q != nil && len(q.jobs)-q.owned >= s.limits.QueuedRequests || s.queuedBytes+size > s.limits.QueuedBytes) {
		s.mu.Unlock()
		return ErrQueueFull
	}
	s.queuedBytes += size
	if q != nil {
		q.add(j)
		s.mu.Unlock()
		return nil
	}
	q = &queue{device: device, wake: make(chan struct{}, 1)}
	q.add(j)
	s.queues[device] = q
	s.mu.Unlock()
	if !s.begin(func(ctx context.Context) { s.workOff(ctx, q) }) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.queues, device)
		s.queuedBytes -= size
		return context.Canceled
	}
	return nil
}

func (q *queue) add(j *job) {
	q.jobs = append(q.jobs, j)
	if j.own {
		q.owned++
	}
}

// workOff sends a queue's requests, one at a time in their order.
func (s *Service) workOff(ctx context.Context, q *queue) {
	for j := s.first(q); j != nil && ctx.Err() == nil; j = s.first(q) {
		pause := s.tooEarly(q.device, j)
		if pause == 0 {
			again, over, message := s.try(ctx, q, j)
			if over {
				s.finish(q, j, message)
				continue
			}
			pause = again
		}
		s.rest(ctx, q, min(pause, j.expires.Sub(s.now())))
	}
}

// tooEarly is how long a job has to wait: until the device has the answer to
// its registration, and, if it sleeps, until it is heard of. 0: it is time.
func (s *Service) tooEarly(device string, j *job) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, seen := s.now(), s.seen[device]
	switch {
	case now.After(j.expires):
		return 0
	case now.Before(seen.quietUntil) && (j.own || j.since.Before(seen.quietUntil.Add(-settle))): // it waited for the registration
		return seen.quietUntil.Sub(now)
	case j.patient && now.Sub(seen.at) > awakeTime:
		return j.expires.Sub(now)
	default:
		return 0
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
	return q.jobs[0]
}

// try asks once. It is over with what to tell the caller, if anything, or it
// says how long to wait before trying again.
func (s *Service) try(ctx context.Context, q *queue, j *job) (pause time.Duration, over bool, told *Message) {
	left := j.expires.Sub(s.now())
	if left <= 0 {
		return 0, true, s.fail(j, failure{429, "REQUEST_EXPIRED"})
	}
	asked, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	s.mu.Lock()
	q.asking, j.begun = true, true
	s.mu.Unlock()
	response, err := s.devices.Do(asked, q.device, j.request)
	s.mu.Lock()
	q.asking = false
	s.mu.Unlock()
	switch {
	case err == nil && j.understand != nil:
		return 0, true, j.understand(response)
	case err == nil:
		return 0, true, s.understand(q.device, j, response)
	case ctx.Err() != nil:
		return 0, false, nil
	case asked.Err() != nil:
		return 0, true, s.fail(j, failure{429, "REQUEST_EXPIRED"})
	case errors.Is(err, coap.ErrTooLarge): // it will be, whenever it is asked
		return 0, true, s.fail(j, failureOf(err))
	case j.patient && (errors.Is(err, cloud.ErrNotConnected) || j.mayRetry()):
		s.asleep(q.device)
		return left, false, nil
	case !j.patient && j.mayRetry():
		return retryPause(j.retried), false, nil
	default:
		s.log.Debug("a device does not answer", "device", q.device, "error", err)
		return 0, true, s.fail(j, failureOf(err))
	}
}

// mayRetry takes one of a job's retries, if any are left. A device that was not
// there has cost none.
func (j *job) mayRetry() bool {
	if j.retries == 0 {
		return false
	}
	j.retries--
	j.retried++
	return true
}

// fail ends a job without an answer.
func (s *Service) fail(j *job, why failure) *Message {
	if j.failed != nil {
		j.failed()
	}
	return failed(j.id, why)
}

// retryPause grows with the number of retries, up to an hour or so: a device that
// comes back is tried at once.
func retryPause(retried int) time.Duration {
	return 2 * time.Minute << min(retried-1, 5)
}

// understand turns a device's answer into what the caller is told. A success is
// 200 or 201, whatever its code.
func (s *Service) understand(device string, j *job, response *coap.Response) *Message {
	if !response.Code.IsSuccess() {
		return failed(j.id, failureOfCode(response.Code))
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

// finish ends a job, unless it was ended meanwhile.
func (s *Service) finish(q *queue, j *job, told *Message) {
	s.mu.Lock()
	ours := len(q.jobs) > 0 && q.jobs[0] == j
	if ours {
		q.jobs = q.jobs[1:]
		s.forgetSize(q, j)
	}
	s.mu.Unlock()
	if ours && !j.silent && !j.own {
		s.channels.toKey(j.key, told)
	}
}

// forgetSize takes a job that has left its queue off the counts. s.mu is held.
func (s *Service) forgetSize(q *queue, j *job) {
	s.queuedBytes -= len(j.request.Payload)
	if j.own {
		q.owned--
	}
}

// rest waits until the device is heard of, or for a time.
func (s *Service) rest(ctx context.Context, q *queue, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-q.wake:
	}
}

// seen is when a device was heard of.
type seen struct {
	at         time.Time
	quietUntil time.Time // its registration is being answered
}

// heard tries again what waits for a device, once it has been answered.
func (s *Service) heard(device string, registers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.seen[device]
	last.at = s.now()
	if registers {
		last.quietUntil = last.at.Add(settle)
	}
	s.seen[device] = last
	if q := s.queues[device]; q != nil {
		q.knock()
	}
}

// asleep notes that a device does not answer although it was heard of.
func (s *Service) asleep(device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, device)
}

func (q *queue) knock() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// clear ends what waits for a device that has left, or was made to.
func (s *Service) clear(device string, why cloud.Ending) {
	s.mu.Lock()
	var ended []*job
	if q := s.queues[device]; q != nil {
		ended = s.takeOut(q, func(*job) bool { return true })
	}
	delete(s.seen, device)
	s.mu.Unlock()
	reason := failure{429, "DEVICE_REMOVED_REGISTRATION"}
	if why == cloud.Suspended {
		reason.word = "DEVICE_BLOCKED"
	}
	s.tell(ended, reason)
}

// cancel ends what a key has asked of devices and they have not got.
func (s *Service) cancel(keyID string) {
	s.mu.Lock()
	var ended []*job
	for _, q := range s.queues {
		ended = append(ended, s.takeOut(q, func(j *job) bool { return !j.own && j.key == keyID })...)
	}
	s.mu.Unlock()
	s.tell(ended, failure{429, "REQUEST_EXPIRED"})
}

// takeOut removes jobs from a queue. The request on its way gets its own
// answer. s.mu is held.
func (s *Service) takeOut(q *queue, which func(*job) bool) []*job {
	var kept, taken []*job
	for i, j := range q.jobs {
		if i == 0 && q.asking || !which(j) {
			kept = append(kept, j)
			continue
		}
		taken = append(taken, j)
		s.forgetSize(q, j)
	}
	q.jobs = kept
	q.knock()
	return taken
}

// tell tells whoever asked that jobs came to nothing.
func (s *Service) tell(ended []*job, why failure) {
	for _, j := range ended {
		told := s.fail(j, why)
		if !j.silent && !j.own {
			s.channels.toKey(j.key, told)
		}
	}
}
