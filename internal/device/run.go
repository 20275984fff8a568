package device

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"mbl/internal/applications"
	"mbl/internal/coap"
	"mbl/internal/hostinfo"
	"mbl/internal/keystore"
	"mbl/internal/lwm2m"
)

// Config is what Run needs.
type Config struct {
	Store   keystore.Store
	Log     *slog.Logger
	Version string // of this program, told to the service

	Lifetime  time.Duration // of a registration; 0: as the server wrote, else DefaultLifetime
	RetryBase time.Duration // before the first retry; 0: DefaultRetryBase
	KeepAlive time.Duration // between signs of life; 0: DefaultKeepAlive

	// Host is the machine that the objects tell about.
	Host hostinfo.Host
	// Applications lets programs on the device publish resources; nil: none may.
	// Run closes it.
	Applications *applications.Listener
	// Reboot reboots the machine when the server wants it; nil: it is refused.
	Reboot func() error
	// NetworkChanged says that links, addresses or routes of the machine are
	// other ones. nil: it never says so.
	NetworkChanged <-chan struct{}
	// Report is told whenever State changes. It may be nil.
	Report func(State)
	// Health learns how long each step may take; it may be nil.
	Health *Health
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
	defer a.serveApplications(ctx)()
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
	tree         *tree
	server       serverObject
	wishes       *wishes
	peer         peerAddress   // of the LwM2M server
	registration registration  // of the present credentials
	attributes   *attributes   // written by their server
	changes      chan struct{} // holds one element when a value has changed
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
	a := &agent{Config: cfg, tree: &tree{}, wishes: newWishes(), attributes: newAttributes(), changes: make(chan struct{}, 1)}
	a.tree.OnChange(func(lwm2m.Path) { a.noteChange() })
	a.server.setDisableTime(defaultDisableTime)
	return a
}

// renewResources makes the device's own resources anew, of what credentials
// and machine say now.
func (a *agent) renewResources() {
	a.server.setLifetime(a.initialLifetime())
	own := slices.Concat(a.deviceResources(), a.connectivityResources(), a.updateResources(), a.serverResources())
	if err := a.tree.setOwn(own); err != nil {
		a.Log.Error("cannot make the device's resources", "error", err)
	}
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
	a.registration, a.attributes = registration{}, newAttributes()
	var history retries
	for ctx.Err() == nil {
		ended, registered := a.attempt(ctx, mark)
		if registered {
			history = retries{}
		}
		if ended == outdated && ctx.Err() == nil {
			ended = a.bootstrap(ctx, mark)
		}
		var delay time.Duration
		delay, history = history.after(ended, a.RetryBase, a.Random())
		switch {
		case ctx.Err() != nil:
		case ended == refused:
			a.forgetLwM2M(mark)
		case ended == disabled:
			delay = a.server.disabledFor()
		}
		a.pause(ctx, delay, ended)
	}
	cancel(nil)
	<-watching
}

// attempt does the next thing: bootstrap, or register and stay. registered
// tells whether it got that far.
func (a *agent) attempt(ctx context.Context, mark []byte) (ended outcome, registered bool) {
	a.expect(bootstrapTimeout)
	account, err := loadAccount(a.Store, lwm2mAccount())
	switch {
	case errors.Is(err, keystore.ErrNotFound):
		return a.bootstrap(ctx, mark), false
	case err != nil:
		a.Log.Warn("LwM2M credentials are not usable", "error", err)
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
		a.Log.Error("cannot forget the LwM2M credentials", "error", err)
	}
	a.registration = registration{}
}

// pause waits before the next attempt. A network that comes back shortens the
// wait for a lost server to a random part of RetryBase: all devices behind one
// router see it come back at the same moment.
func (a *agent) pause(ctx context.Context, delay time.Duration, after outcome) {
	if ctx.Err() != nil || delay == 0 {
		return
	}
	a.Log.Info("waiting before the next attempt", "delay", delay.Round(time.Millisecond))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	a.expect(delay)
	end := time.Now().Add(delay)
	changed := a.NetworkChanged
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-changed:
			if sooner := scale(a.RetryBase, a.Random()); after == lost && sooner < time.Until(end) {
				a.Log.Info("the network changed: trying sooner", "delay", sooner.Round(time.Millisecond))
				timer.Reset(sooner)
				changed = nil // once is enough
			}
		}
	}
}

func (a *agent) setState(state State) {
	if state == a.state {
		return
	}
	a.state = state
	a.Report(state)
}
