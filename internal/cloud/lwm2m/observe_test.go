package lwm2m

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/coap"
)

// kept is the memory of a connect.Service: the registration it was told of.
type kept struct {
	mu     sync.Mutex
	record *cloud.RegistrationRecord
}

func (k *kept) registration() (*cloud.RegistrationRecord, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.record == nil {
		return nil, cloud.ErrNotFound
	}
	return k.record, nil
}

func (k *kept) Device(_ context.Context, _ cloud.Principal, id string) (*cloud.Device, error) {
	return &cloud.Device{ID: id}, nil
}

func (k *kept) Registration(context.Context, cloud.Principal, string) (*cloud.RegistrationRecord, error) {
	return k.registration()
}

func (k *kept) DeviceRegistration(context.Context, string) (*cloud.RegistrationRecord, error) {
	return k.registration()
}

func (*kept) Subscriptions(context.Context) ([]cloud.Subscription, error) { return nil, nil }

func (*kept) SaveSubscription(context.Context, cloud.Subscription) error { return nil }

func (*kept) DeleteSubscriptions(context.Context, []cloud.Subscription) error { return nil }

func (*kept) Presubscriptions(context.Context) ([]cloud.Presubscriptions, error) { return nil, nil }

func (*kept) SavePresubscriptions(context.Context, cloud.Presubscriptions) error { return nil }

func (*kept) Channels(context.Context) ([]cloud.Channel, error) { return nil, nil }

func (*kept) SaveChannel(context.Context, cloud.Principal, cloud.ChannelKind, cloud.ChannelSettings) error {
	return nil
}

func (*kept) DeleteChannel(context.Context, string) error { return nil }

func (*kept) SaveBacklogs(context.Context, []cloud.Backlog) error { return nil }

func (*kept) TakeBacklogs(context.Context) ([]cloud.Backlog, error) { return nil, nil }

// The recorded clients report of their update as they go through it, by
// two-byte tokens that stand in their registration.
func TestRecordedNotificationsReachWhoSubscribes(t *testing.T) {
	for name, c := range map[string]struct {
		until float64
		want  string
	}{
		"l1-good":  {30, "/10252/0/2=2 /10252/0/2=3 /10252/0/2=4 /10252/0/2=5 /10252/0/2=6 /10252/0/2=7 /10252/0/2=8"},
		"g1-delta": {900, "/10252/0/2=3 /10252/0/2=4 /10252/0/2=6 /10252/0/2=7 /10252/0/2=8"},
	} {
		t.Run(name, func(t *testing.T) {
			recorded := readRecording(t, name, c.until)
			me := cloud.Principal{AccountID: "account", KeyID: "key"}
			service := &fakeService{grants: recorded.grants(t), decisions: recorded.decisions(t)}
			servers := newServers(t, service)
			memory := &kept{}
			log := slog.New(slog.DiscardHandler)
			brain := connect.New(connect.Config{
				Directory: memory, Devices: servers.management, Memory: memory, Limits: connect.DefaultLimits(), Now: time.Now, Log: log,
			})
			if err := brain.SetPresubscriptions(t.Context(), me, []cloud.Presubscription{{Paths: []string{"/10252/0/2"}}}); err != nil {
				t.Fatal(err)
			}
			servers.management.UseObserver(brain)
			service.registered = func(device cloud.Identity, registration cloud.Registration) {
				registration.AccountID, registration.DeviceID = me.AccountID, device.DeviceID
				record := &cloud.RegistrationRecord{Registration: registration}
				memory.mu.Lock()
				memory.record = record
				memory.mu.Unlock()
				brain.Registered(record)
			}
			openChannel(t, brain, me)
			for _, connection := range recorded.connections {
				servers.replay(connection, inMemory)
			}
			servers.stop()
			if got := strings.Join(notifications(t, brain, me), " "); got != c.want {
				t.Errorf("notified of %s\ninstead of   %s", got, c.want)
			}
		})
	}
}

// openChannel polls once, and does not wait.
func openChannel(t *testing.T, brain *connect.Service, who cloud.Principal) {
	t.Helper()
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := brain.Poll(gone, who); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// notifications are what a channel holds.
func notifications(t *testing.T, brain *connect.Service, who cloud.Principal) []string {
	t.Helper()
	m, err := brain.Poll(t.Context(), who)
	if err != nil || m == nil {
		t.Fatalf("polled %v, %v", m, err)
	}
	var got []string
	for _, n := range m.Notifications {
		payload, err := base64.StdEncoding.DecodeString(n.Payload)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s=%s", n.Path, payload))
	}
	return got
}

// watching is an Observer that knows every token.
type watching chan string

func (watching) Observed(context.Context, string, []byte) (path []string, known bool) {
	return nil, true
}

func (w watching) Notified(_ context.Context, deviceID string, token []byte, n *coap.Response) {
	w <- fmt.Sprintf("%s %x %s", deviceID, token, n.Payload)
}

func TestARevokedDeviceIsNotListenedTo(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	heard := make(watching, 1)
	s.management.UseObserver(heard)
	d := s.arrive(management, nil)
	d.connected(s)
	observation := &coap.Request{Code: coap.GET, Token: []byte{3, 0x83}}
	value := &coap.Response{Code: coap.Content, Observe: new(uint32(2)), Payload: []byte("4")}
	if err := d.session.Notify(s.ctx, observation, value); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != deviceID+" 0383 4" {
		t.Errorf("heard %s", got)
	}
	service.mu.Lock()
	service.unknown = cloud.Refuse(cloud.ErrUnauthorized, "is revoked")
	service.mu.Unlock()
	if err := d.session.Notify(s.ctx, observation, value); !errors.Is(err, coap.ErrReset) {
		t.Errorf("answered with %v", err)
	}
	service.mu.Lock()
	service.unknown = errSlow // our own trouble is not the device's fault
	service.mu.Unlock()
	if err := d.session.Notify(s.ctx, observation, value); err != nil {
		t.Errorf("answered with %v", err)
	}
}

func TestEachSessionHasANumber(t *testing.T) {
	s := newServers(t, &fakeService{})
	if n := s.management.Session(deviceID); n != 0 {
		t.Errorf("%d without a session", n)
	}
	s.arrive(management, nil).connected(s)
	first := s.management.Session(deviceID)
	s.arrive(management, nil).connected(s)
	if second := s.management.Session(deviceID); first == 0 || second == first {
		t.Errorf("%d, then %d", first, second)
	}
}
