package device

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"mbl/internal/coap"
	"mbl/internal/keystore"
)

// Config is what Run needs.
type Config struct {
	Store   keystore.Store
	Log     *slog.Logger
	Version string // of this program, told to the service

	Lifetime  time.Duration // of a registration; 0: as the server wrote, else DefaultLifetime
	RetryBase time.Duration // before the first retry; 0: DefaultRetryBase
	KeepAlive time.Duration // between signs of life; 0: DefaultKeepAlive

	// Report is told whenever State changes. It may be nil.
	Report func(State)
	// Dial connects to a server; nil: coap.Dial.
	Dial func(ctx context.Context, address string, cfg coap.DialConfig) (coap.Conn, error)
	// Random returns numbers from [0, 1); nil: random ones.
	Random func() float64
}

// State is what the running device knows about itself.
type State struct {
	Registered bool
	DeviceID   string // while registered
}

// Run connects the device to its service and keeps it connected until ctx
// ends; then it de-registers and returns nil. Unprovisioned, it waits. When
// the device is provisioned anew it starts afresh with the new credentials.
//
// The order is LwM2M's (OMA-TS-LightweightM2M-V1_0): bootstrap if there are no
// LwM2M credentials, then register, then keep the registration up.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Store == nil || cfg.Log == nil {
		return errors.New("cannot run a device without storage and log")
	}
	a := newAgent(cfg)
	for ctx.Err() == nil {
		mark, err := a.awaitCredentials(ctx)
		if err != nil {
			break
		}
		a.liveOn(ctx, mark)
	}
	return nil
}

// agent is the running device.
type agent struct {
	Config
	registration registration // of the present credentials
	state        State
}

func newAgent(cfg Config) *agent {
	if cfg.RetryBase == 0 {
		cfg.RetryBase = DefaultRetryBase
	}
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = DefaultKeepAlive
	}
	if cfg.Dial == nil {
		cfg.Dial = coap.Dial
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Report == nil {
		cfg.Report = func(State) {}
	}
	return &agent{Config: cfg}
}

// liveOn works with the credentials that carry the mark, until ctx ends or
// others take their place.
func (a *agent) liveOn(ctx context.Context, mark []byte) {
	ctx, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		a.watch(ctx, mark, cancel)
	}()
	a.registration = registration{}
	var history retries
	for ctx.Err() == nil {
		ended, registered := a.attempt(ctx, mark)
		if registered {
			history = retries{}
		}
		var delay time.Duration
		delay, history = history.after(ended, a.RetryBase, a.Random())
		if ctx.Err() == nil && ended == refused {
			a.forgetLwM2M(mark)
		}
		a.pause(ctx, delay)
	}
	cancel(nil)
	<-watching
}

// attempt does the next thing: bootstrap, or register and stay. registered
// tells whether it got that far.
func (a *agent) attempt(ctx context.Context, mark []byte) (ended outcome, registered bool) {
	account, err := loadAccount(a.Store, lwm2mAccount())
	switch {
	case errors.Is(err, keystore.ErrNotFound):
		return a.bootstrap(ctx, mark), false
	case err != nil:
		a.Log.Warn("LwM2M credentials are not usable", "err", err)
		return refused, false
	default:
		return a.stayRegistered(ctx, mark, account)
	}
}

// forgetLwM2M drops the LwM2M credentials, unless the device was provisioned
// anew meanwhile. The device id stays: the next bootstrap names it.
func (a *agent) forgetLwM2M(mark []byte) {
	err := a.Store.Replace(keystore.Change{
		If:     map[string][]byte{itemProvisioning: mark},
		Delete: lwm2mItems(),
	})
	if err != nil && !errors.Is(err, keystore.ErrConflict) {
		a.Log.Error("cannot forget the LwM2M credentials", "err", err)
	}
	a.registration = registration{}
}

func (a *agent) pause(ctx context.Context, delay time.Duration) {
	if ctx.Err() != nil || delay == 0 {
		return
	}
	a.Log.Info("waiting before the next attempt", "delay", delay.Round(time.Millisecond))
	select {
	case <-ctx.Done():
	case <-time.After(delay):
	}
}

func (a *agent) setState(state State) {
	if state == a.state {
		return
	}
	a.state = state
	a.Report(state)
}
