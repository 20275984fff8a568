// Package swarm is thousands of light devices in one process: each bootstraps,
// registers, stays registered and answers reads as mbl-device does, by the same
// code, but keeps everything in memory and has no board around it.
//
// mbl-sandbox swarm is its front door; tests and benchmarks start that.
package swarm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mbl/internal/cloudapi"
	"mbl/internal/coap"
	"mbl/internal/device"
)

const (
	// joiningAtOnce is how many devices are on their way to their first
	// registration at the same time.
	joiningAtOnce = 64
	// joiningPatience is how long one of them keeps others waiting.
	joiningPatience = 5 * time.Second
	// retryBase is shorter than a device's: a swarm is watched by somebody.
	retryBase = 2 * time.Second
)

// Transport is what a device connects by.
type Transport int

// The transports.
const (
	UDP Transport = iota // DTLS
	TCP                  // TLS, one message a record
)

// Config says what swarm to make.
type Config struct {
	Client         *cloudapi.Client // makes the credentials; its key's account owns the devices
	Name           string           // of the developer certificates, which get a number besides
	Devices        int
	PerCertificate int           // devices with one developer certificate; 0: all
	Transports     []Transport   // taken in turns; not empty
	Rate           float64       // devices that begin to join in a second; 0: as fast as they can
	KeepAlive      time.Duration // between a device's signs of life
	Log            *slog.Logger
}

// dueAfter is when a device may begin to join.
func (c Config) dueAfter(number int) time.Duration {
	if c.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(number) / c.Rate * float64(time.Second))
}

// Status is how a swarm is doing.
type Status struct {
	Devices    int // that belong to it
	Tried      int // have registered at least once, or had time to
	Registered map[Transport]int
	Trouble    string // the latest that a device met; empty: none
}

// Up is the number of devices registered now.
func (s Status) Up() (up int) {
	for _, n := range s.Registered {
		up += n
	}
	return up
}

// Swarm is a swarm that was started.
type Swarm struct {
	cfg          Config
	certificates []certificate
	members      []*member
	running      sync.WaitGroup

	mu     sync.Mutex
	status Status
}

// Start makes the credentials in the service. Nothing is left behind when it
// fails.
func Start(ctx context.Context, cfg Config) (*Swarm, error) {
	s := &Swarm{cfg: cfg, status: Status{Devices: cfg.Devices, Registered: map[Transport]int{}}}
	if err := s.makeCredentials(ctx); err != nil {
		return nil, errors.Join(err, s.removeCertificates(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// Run lets the devices join one after the other and keeps them connected until
// ctx ends; then they de-register. It returns when the last of them is gone.
func (s *Swarm) Run(ctx context.Context) {
	defer s.running.Wait()
	start := time.Now()
	places := make(chan struct{}, joiningAtOnce)
	for number, m := range s.members {
		due := time.NewTimer(time.Until(start.Add(s.cfg.dueAfter(number))))
		select {
		case <-due.C:
		case <-ctx.Done():
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		s.running.Go(func() { s.live(ctx, m) })
		s.running.Go(func() {
			m.awaitJoined(ctx)
			s.noteTried(ctx)
			<-places
		})
	}
}

func (s *Swarm) live(ctx context.Context, m *member) {
	cfg := device.Config{
		Store:     m.store,
		Log:       slog.New(trouble{s}),
		Version:   "swarm",
		RetryBase: retryBase,
		KeepAlive: s.cfg.KeepAlive,
		Report:    func(state device.State) { s.note(m, state) },
		Dial:      coap.Dial,
	}
	if m.transport == TCP {
		cfg.Dial = coap.DialTLS
	}
	if err := device.Run(ctx, cfg); err != nil {
		s.cfg.Log.Error("a device cannot run", "error", err)
	}
}

// note keeps count.
func (s *Swarm) note(m *member, state device.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state.Registered == m.registered {
		return
	}
	m.registered = state.Registered
	if !state.Registered {
		s.status.Registered[m.transport]--
		return
	}
	s.status.Registered[m.transport]++
	m.once.Do(func() { close(m.joined) })
}

func (s *Swarm) noteTried(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Tried++
}

// Status tells how the swarm is doing now.
func (s *Swarm) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Registered = map[Transport]int{}
	for transport, n := range s.status.Registered {
		status.Registered[transport] = n
	}
	return status
}

// Remove takes the swarm out of the service: the devices' entries in the
// directory and the developer certificates. Call it after Run.
func (s *Swarm) Remove(ctx context.Context) error {
	return errors.Join(s.removeDevices(ctx), s.removeCertificates(ctx))
}

// trouble is a log handler that keeps the latest warning for Status.
type trouble struct{ swarm *Swarm }

// Enabled implements slog.Handler.
func (t trouble) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (t trouble) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	record.Attrs(func(attribute slog.Attr) bool {
		text += fmt.Sprintf(": %v", attribute.Value)
		return true
	})
	t.swarm.mu.Lock()
	defer t.swarm.mu.Unlock()
	t.swarm.status.Trouble = text
	return nil
}

// WithAttrs implements slog.Handler.
func (t trouble) WithAttrs([]slog.Attr) slog.Handler { return t }

// WithGroup implements slog.Handler.
func (t trouble) WithGroup(string) slog.Handler { return t }
