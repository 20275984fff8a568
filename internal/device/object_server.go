package device

import (
	"context"
	"strconv"
	"sync"
	"time"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// defaultDisableTime is how long a server that disabled itself is left alone,
// unless it says otherwise (LwM2M 1.0 appendix E.2, resource 5).
const defaultDisableTime = 24 * time.Hour

// serverObject is what the device keeps of object 1, of which it has one
// instance.
type serverObject struct {
	mu          sync.Mutex
	lifetime    time.Duration
	disableTime time.Duration
}

func (s *serverObject) life() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lifetime
}

func (s *serverObject) disabledFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disableTime
}

func (s *serverObject) setLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}

func (s *serverObject) setDisableTime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disableTime = d
}

// initialLifetime is what the user wants, else what a server wrote, else the
// default.
func (a *agent) initialLifetime() time.Duration {
	if a.Lifetime > 0 {
		return a.Lifetime
	}
	text, err := a.Store.Get(itemLifetime)
	if err != nil {
		return DefaultLifetime
	}
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return DefaultLifetime
	}
	return max(time.Duration(n)*time.Second, MinLifetime)
}

func (a *agent) serverResources() []*resource {
	lifetime := readable(lwm2m.ObjectServer, lwm2m.ServerLifetime, func() value {
		return numberValue(int64(a.server.life() / time.Second))
	})
	lifetime.takes, lifetime.write, lifetime.observable = typeInteger, a.writeLifetime, true
	disableTime := readable(lwm2m.ObjectServer, lwm2m.ServerDisableTimeout, func() value {
		return numberValue(int64(a.server.disabledFor() / time.Second))
	})
	disableTime.takes, disableTime.write, disableTime.observable = typeInteger, a.writeDisableTime, true
	return []*resource{
		readable(lwm2m.ObjectServer, lwm2m.ServerShortID, func() value { return numberValue(1) }),
		lifetime,
		executable(lwm2m.ObjectServer, lwm2m.ServerDisable, func() { a.wishes.make(wishDisable) }),
		disableTime,
		readable(lwm2m.ObjectServer, lwm2m.ServerNotification, func() value { return booleanValue(true) }),
		readable(lwm2m.ObjectServer, lwm2m.ServerBinding, func() value { return textValue("U") }),
		executable(lwm2m.ObjectServer, lwm2m.ServerUpdateNow, func() { a.wishes.make(wishUpdate) }),
		executable(lwm2m.ObjectServer, lwm2m.ServerBootstrapNow, func() { a.wishes.make(wishBootstrap) }),
	}
}

// writtenSeconds reads a duration that a server writes.
func writtenSeconds(v value, least time.Duration) (time.Duration, coap.Code) {
	n, err := strconv.ParseUint(string(v.plain), 10, 32)
	if err != nil {
		return 0, coap.BadRequest
	}
	d := time.Duration(n) * time.Second
	if d < least {
		return 0, coap.NotAcceptable // the original's answer
	}
	return d, 0
}

// writeLifetime keeps a lifetime and lets the server know, once it has its
// answer, that it counts from now on.
func (a *agent) writeLifetime(_ context.Context, v value) *coap.Response {
	lifetime, code := writtenSeconds(v, MinLifetime)
	if code != 0 {
		return &coap.Response{Code: code}
	}
	if err := a.Store.Put(itemLifetime, []byte(seconds(lifetime))); err != nil {
		a.Log.Error("cannot keep the lifetime", "error", err)
		return &coap.Response{Code: coap.InternalServerError}
	}
	a.server.setLifetime(lifetime)
	return &coap.Response{Code: coap.Changed, Then: func(context.Context) {
		a.wishes.make(wishUpdate)
		a.tree.Changed(lwm2m.Path{lwm2m.ObjectServer, 0, lwm2m.ServerLifetime})
	}}
}

func (a *agent) writeDisableTime(_ context.Context, v value) *coap.Response {
	d, code := writtenSeconds(v, 0)
	if code != 0 {
		return &coap.Response{Code: code}
	}
	a.server.setDisableTime(d)
	a.tree.Changed(lwm2m.Path{lwm2m.ObjectServer, 0, lwm2m.ServerDisableTimeout})
	return &coap.Response{Code: coap.Changed}
}
