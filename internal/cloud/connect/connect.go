// Package connect is the part of the service's brain that talks with
// connected devices on behalf of API keys: it queues requests to a device,
// sends them one at a time, and puts the answers and what devices report into
// the notification channel of the key that is to know.
//
// restapi calls it, the management server (package cloud/lwm2m) carries its
// requests and brings what devices report, and cloud.Service tells it of
// registrations. Who subscribes to what outlives a restart (Memory), and so does
// what waits for devices and keys when the service stops (Save). A process that is
// killed loses what waited: clients ask again.
package connect

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/objectid"
)

// Refusals of this package, each of a kind of package cloud.
var (
	ErrDeviceNotFound = cloud.Refuse(cloud.ErrNotFound, "there is no such device")
	ErrNotConnected   = cloud.Refuse(cloud.ErrConflict, "the device is not registered")
	ErrNoResource     = cloud.Refuse(cloud.ErrNotFound, "the device has no such resource")
	ErrNotObservable  = cloud.Refuse(cloud.ErrInvalid, "the device does not report of the resource")
	ErrNoSubscription = cloud.Refuse(cloud.ErrNotFound, "there is no such subscription")
	ErrQueueFull      = cloud.Refuse(cloud.ErrLimit, "too many requests wait for the device")
	ErrSleeps         = cloud.Refuse(cloud.ErrConflict, "the device sleeps, and is not reached by a request without an answer")
	ErrAsyncID        = cloud.RefuseField("async-id", "is not 1 to 40 letters, digits, _ or -")
	ErrMediaType      = cloud.RefuseField("content-type", "is not known here")
	ErrRequest        = cloud.RefuseField("request", "has a method, a number, an encoding or a length that is not allowed")
	ErrPolling        = cloud.Refuse(cloud.ErrConflict, "the channel is polled already")
	ErrOverflow       = cloud.Refuse(cloud.ErrLimit, "the channel was full and has been emptied")
	ErrNoChannel      = cloud.Refuse(cloud.ErrNotFound, "there is no channel")
	ErrOtherChannel   = cloud.Refuse(cloud.ErrInvalid, "there is a channel of another kind, which has to be deleted first")
	ErrCallback       = cloud.Refuse(cloud.ErrInvalid, "the callback did not answer its test with 200 or 204")
	ErrOwnAddress     = cloud.Refuse(cloud.ErrInvalid, "callbacks to addresses of private networks are not allowed here")
)

// Directory knows devices and registrations. It is a cloud.Service.
type Directory interface {
	Device(ctx context.Context, who cloud.Principal, id string) (*cloud.Device, error)
	// Registration returns cloud.ErrNotFound for a device that is not registered.
	Registration(ctx context.Context, who cloud.Principal, id string) (*cloud.RegistrationRecord, error)
}

// Devices carries requests to devices.
type Devices interface {
	// Do returns cloud.ErrNotConnected, or an error of coap.Session.Do, when
	// there is no answer.
	Do(ctx context.Context, deviceID string, request *coap.Request) (*coap.Response, error)
	// Session is a number for the device's present session that no other
	// session has had; 0 without one.
	Session(deviceID string) uint64
}

var (
	_ Directory     = (*cloud.Service)(nil)
	_ cloud.Watcher = (*Service)(nil)
)

// Limits bound what the Service keeps in memory.
type Limits struct {
	QueuedRequests int // for one device
	QueuedBytes    int // payloads that wait, of all devices together
	ChannelBytes   int // events that wait in one channel
	AllChannels    int // events that wait in all channels, in bytes
}

// DefaultLimits are the original service's where it has any.
func DefaultLimits() Limits {
	return Limits{QueuedRequests: 20, QueuedBytes: 64 << 20, ChannelBytes: 50 << 20, AllChannels: 512 << 20}
}

// Config is what a Service is made of; all of it is needed.
type Config struct {
	Directory Directory
	Devices   Devices
	Memory    Memory
	Callbacks Callbacks
	Limits    Limits
	Now       func() time.Time
	Log       *slog.Logger
}

// Service is safe for concurrent use. It works while Run does.
type Service struct {
	directory Directory
	devices   Devices
	memory    Memory
	callbacks Callbacks
	limits    Limits
	now       func() time.Time
	log       *slog.Logger
	ids       *objectid.Source
	channels  *channels
	values    *values
	interests *interests
	starts    chan func(context.Context) // work to be done while Run does
	stopping  chan struct{}              // closed when Run ends

	mu          sync.Mutex
	queues      map[string]*queue // by device id
	seen        map[string]seen   // by device id
	queuedBytes int

	left []waitingRequest // of an earlier run, until Run takes them up
}

// New makes a Service.
func New(config Config) *Service {
	ids := objectid.NewSource(config.Now)
	return &Service{
		directory: config.Directory,
		devices:   config.Devices,
		memory:    config.Memory,
		callbacks: config.Callbacks,
		limits:    config.Limits,
		now:       config.Now,
		log:       config.Log,
		ids:       ids,
		channels:  &channels{now: config.Now, most: config.Limits.ChannelBytes, mostOfAll: config.Limits.AllChannels, log: config.Log, ids: ids, byKey: map[string]*channel{}, closed: map[string]time.Time{}},
		values:    &values{now: config.Now, ofDevice: map[string]map[string]Value{}},
		interests: newInterests(),
		starts:    make(chan func(context.Context)),
		stopping:  make(chan struct{}),
		queues:    map[string]*queue{},
		seen:      map[string]seen{},
	}
}

// expiryPeriod is how late a forgotten channel may be noticed.
const expiryPeriod = time.Minute

// Run works off the queues until ctx ends; polls end with it. It returns when
// the last request has, and runs once in a Service's life.
func (s *Service) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	defer close(s.stopping)
	begin := func(work func(context.Context)) { working.Go(func() { work(ctx) }) }
	for _, ch := range s.channels.undelivered() {
		begin(func(ctx context.Context) { s.deliverAll(ctx, ch) })
	}
	begin(s.resume)
	ticker := time.NewTicker(expiryPeriod)
	defer ticker.Stop()
	for {
		select {
		case work := <-s.starts:
			begin(work)
		case <-ticker.C:
			for _, keyID := range s.channels.expire() {
				s.forgetChannel(keyID)
			}
			s.values.expire()
		case <-ctx.Done():
			return nil
		}
	}
}

// begin has work done by Run, and tells whether it will be.
func (s *Service) begin(work func(context.Context)) bool {
	select {
	case s.starts <- work:
		return true
	case <-s.stopping:
		return false
	}
}

// registration is the registration of a device of the caller's account.
func (s *Service) registration(ctx context.Context, who cloud.Principal, deviceID string) (*cloud.RegistrationRecord, error) {
	record, err := s.directory.Registration(ctx, who, deviceID)
	if !errors.Is(err, cloud.ErrNotFound) {
		return record, err
	}
	_, err = s.directory.Device(ctx, who, deviceID)
	switch {
	case errors.Is(err, cloud.ErrNotFound):
		return nil, ErrDeviceNotFound
	case err != nil:
		return nil, err
	default:
		return nil, ErrNotConnected
	}
}
