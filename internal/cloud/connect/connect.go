// Package connect is the part of the service's brain that talks with
// connected devices on behalf of API keys: it queues requests to a device,
// sends them one at a time, and puts the answers and what devices report into
// the notification channel of the key that is to know.
//
// restapi calls it, the management server (package cloud/lwm2m) carries its
// requests, and cloud.Service tells it of registrations. What it holds lives
// in memory: after a restart clients ask again, as after an expired channel.
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
	ErrQueueFull      = cloud.Refuse(cloud.ErrLimit, "too many requests wait for the device")
	ErrAsyncID        = cloud.RefuseField("async-id", "is not 1 to 40 letters, digits, _ or -")
	ErrMediaType      = cloud.RefuseField("content-type", "is not known here")
	ErrRequest        = cloud.RefuseField("request", "has a method, a number or an encoding that is not allowed")
	ErrPolling        = cloud.Refuse(cloud.ErrConflict, "the channel is polled already")
	ErrOverflow       = cloud.Refuse(cloud.ErrLimit, "the channel was full and has been emptied")
	ErrNoChannel      = cloud.Refuse(cloud.ErrNotFound, "there is no channel")
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
}

// DefaultLimits are the original service's where it has any.
func DefaultLimits() Limits {
	return Limits{QueuedRequests: 20, QueuedBytes: 64 << 20, ChannelBytes: 50 << 20}
}

// Config is what a Service is made of; all of it is needed.
type Config struct {
	Directory Directory
	Devices   Devices
	Limits    Limits
	Now       func() time.Time
	Log       *slog.Logger
}

// Service is safe for concurrent use. It works while Run does.
type Service struct {
	directory Directory
	devices   Devices
	limits    Limits
	now       func() time.Time
	log       *slog.Logger
	ids       *objectid.Source
	channels  *channels
	values    *values
	starts    chan *queue   // queues to be worked off
	stopping  chan struct{} // closed when Run ends

	mu          sync.Mutex
	queues      map[string]*queue // by device id
	queuedBytes int
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{
		directory: config.Directory,
		devices:   config.Devices,
		limits:    config.Limits,
		now:       config.Now,
		log:       config.Log,
		ids:       objectid.NewSource(config.Now),
		channels:  &channels{now: config.Now, most: config.Limits.ChannelBytes, log: config.Log, byKey: map[string]*channel{}},
		values:    &values{now: config.Now, byPath: map[valueKey]Value{}},
		starts:    make(chan *queue),
		stopping:  make(chan struct{}),
		queues:    map[string]*queue{},
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
	ticker := time.NewTicker(expiryPeriod)
	defer ticker.Stop()
	for {
		select {
		case q := <-s.starts:
			working.Go(func() { s.workOff(ctx, q) })
		case <-ticker.C:
			s.channels.expire()
			s.values.expire()
		case <-ctx.Done():
			return nil
		}
	}
}

// registration is the registration of a device of the caller's account.
func (s *Service) registration(ctx context.Context, who cloud.Principal, deviceID string) (*cloud.RegistrationRecord, error) {
	if _, err := s.directory.Device(ctx, who, deviceID); err != nil {
		if errors.Is(err, cloud.ErrNotFound) {
			return nil, ErrDeviceNotFound
		}
		return nil, err
	}
	record, err := s.directory.Registration(ctx, who, deviceID)
	if errors.Is(err, cloud.ErrNotFound) {
		return nil, ErrNotConnected
	}
	return record, err
}
