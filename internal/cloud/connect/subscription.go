package connect

import (
	"context"
	"errors"
	"slices"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// Subscribe has the caller's channel told whenever a device reports of a path,
// until the device registers anew. Where the device has to be asked first, the
// id of the answer to come is returned, with which the subscription begins or
// fails; else "", also if the device agrees within a time. It returns one of
// this package's refusals.
func (s *Service) Subscribe(ctx context.Context, who cloud.Principal, deviceID, path string, within time.Duration) (asyncID string, err error) {
	record, err := s.registration(ctx, who, deviceID)
	if err != nil {
		return "", err
	}
	if err := observable(record.Links, path); err != nil {
		return "", err
	}
	subscription := cloud.Subscription{KeyID: who.KeyID, DeviceID: deviceID, Path: path}
	if err := s.memory.SaveSubscription(ctx, subscription); errors.Is(err, cloud.ErrNotFound) {
		return "", ErrDeviceNotFound
	} else if err != nil {
		return "", err
	}
	s.channels.expect(who)
	reported, err := s.addSubscription(ctx, subscription)
	if err != nil {
		s.forgetSubscriptions(subscription)
		return "", err
	}
	if reported {
		return "", nil
	}
	job := s.subscribing(who, subscription, queueMode(record.Binding))
	if err := s.enqueue(deviceID, job); err != nil {
		job.failed()
		return "", err
	}
	if within == 0 {
		return job.id, nil
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-job.done:
		return "", nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return job.id, nil
}

// addSubscription notes a subscription and tells whether the device reports of
// the path already.
func (s *Service) addSubscription(ctx context.Context, subscription cloud.Subscription) (reported bool, err error) {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	w, err := s.watch(ctx, subscription.DeviceID)
	if errors.Is(err, cloud.ErrNotFound) {
		return false, ErrNotConnected
	}
	if err != nil {
		return false, err
	}
	s.interests.add(subscription.KeyID, subscription.DeviceID, subscription.Path)
	if w.reportsItself(subscription.Path) || w.report(subscription.Path).accepted {
		return true, nil
	}
	w.report(subscription.Path).asked = true // it will be
	return false, nil
}

// subscribing is the request to observe that a caller waits for.
func (s *Service) subscribing(who cloud.Principal, subscription cloud.Subscription, patient bool) *job {
	deviceID, path := subscription.DeviceID, subscription.Path
	j := &job{
		id: s.ids.New(), key: who.KeyID, path: path,
		request: observeRequest(deviceID, path, true),
		done:    make(chan struct{}),
		failed: func() {
			s.observesNot(deviceID, path)
			s.forgetSubscriptions(subscription)
		},
	}
	j.willWait(Request{}, patient, s.now())
	j.understand = func(response *coap.Response) *Message {
		value, accepted := s.observes(deviceID, path, response)
		switch {
		case accepted:
			close(j.done)
			return answered(j.id, 200, value)
		case response.Code.IsSuccess():
			return s.fail(j, failure{412, "PRECONDITION_FAILED"})
		default:
			return s.fail(j, failureOfCode(response.Code))
		}
	}
	return j
}

// forgetSubscriptions ends subscriptions that came to nothing.
func (s *Service) forgetSubscriptions(ended ...cloud.Subscription) {
	s.interests.mu.Lock()
	for _, each := range ended {
		s.interests.remove(each.KeyID, each.DeviceID, each.Path)
	}
	s.interests.mu.Unlock()
	if err := s.memory.DeleteSubscriptions(context.Background(), ended); err != nil {
		s.log.Error("cannot forget a subscription", "error", err)
	}
}

// Subscribed are the paths of a device that the caller subscribes to, by hand
// or by rule. It returns ErrDeviceNotFound.
func (s *Service) Subscribed(ctx context.Context, who cloud.Principal, deviceID string) ([]string, error) {
	if _, err := s.registration(ctx, who, deviceID); err != nil && !errors.Is(err, ErrNotConnected) {
		return nil, err
	}
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	if _, err := s.watch(ctx, deviceID); err != nil && !errors.Is(err, cloud.ErrNotFound) {
		return nil, err
	}
	return s.interests.of(who.KeyID, deviceID), nil
}

// Unsubscribe ends the caller's subscriptions to paths of a device; what a
// rule subscribed to comes back when the device registers or updates. Those
// that are none are ignored, unless a registered device has no such path:
// ErrNoResource.
func (s *Service) Unsubscribe(ctx context.Context, who cloud.Principal, deviceID string, paths ...string) error {
	subscribed, err := s.Subscribed(ctx, who, deviceID)
	if err != nil {
		return err
	}
	var ended []cloud.Subscription
	for _, path := range paths {
		if slices.Contains(subscribed, path) {
			ended = append(ended, cloud.Subscription{KeyID: who.KeyID, DeviceID: deviceID, Path: path})
			continue
		}
		if err := s.checkResource(ctx, who, deviceID, path); err != nil {
			return err
		}
	}
	if err := s.memory.DeleteSubscriptions(ctx, ended); err != nil {
		return err
	}
	for _, path := range s.endInterest(ended) {
		s.enqueueOwn(deviceID, s.leaving(deviceID, path))
	}
	return nil
}

// checkResource refuses a path that a registered device does not have.
func (s *Service) checkResource(ctx context.Context, who cloud.Principal, deviceID, path string) error {
	record, err := s.registration(ctx, who, deviceID)
	if errors.Is(err, ErrNotConnected) {
		return nil // nothing is known of what it has
	}
	if err == nil && !has(record.Links, path) {
		return ErrNoResource
	}
	return err
}

// endInterest takes subscriptions away and returns the paths that nobody wants
// to hear of any more although the device was asked to report.
func (s *Service) endInterest(ended []cloud.Subscription) (unwanted []string) {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	for _, each := range ended {
		s.interests.remove(each.KeyID, each.DeviceID, each.Path)
		if w := s.interests.devices[each.DeviceID]; w != nil {
			delete(w.byRule[each.Path], each.KeyID)
		}
		unwanted = append(unwanted, s.interests.unwanted(each.DeviceID, each.Path)...)
	}
	return unwanted
}
