package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mbl/internal/coap"
	"mbl/internal/keystore"
	"mbl/internal/lwm2m"
)

// errRegistrationRefused: the server knows us and does not want us (4.00,
// 4.03). The original bootstraps again then.
var errRegistrationRefused = errors.New("the server refuses the registration")

// formatLinks is the Content-Format of application/link-format (RFC 7252
// §12.3).
const formatLinks = 40

// registration is what is left of a registration when its connection is lost.
// The zero value is none.
type registration struct {
	location []string
	lifetime time.Duration
	version  uint64 // of the tree, as the server knows it
}

// registrar registers one device over one connection.
type registrar struct {
	agent   *agent
	conn    *connection
	account *serverAccount
	mark    []byte
	renewAt time.Time
}

// resume takes up an earlier registration with an update, or registers.
func (r *registrar) resume(ctx context.Context) error {
	if r.agent.registration.location == nil {
		return r.register(ctx)
	}
	return r.update(ctx)
}

// register makes a new registration (LwM2M 1.0 §8.2.3, with the original
// client's parameters).
func (r *registrar) register(ctx context.Context) error {
	links, version := r.agent.tree.snapshot()
	lifetime := r.agent.server.life()
	r.agent.expect(requestTimeout)
	response, err := r.conn.do(ctx, &coap.Request{
		Code: coap.POST, Path: []string{"rd"}, Query: r.query(lifetime),
		ContentFormat: format(formatLinks), Payload: r.linkText(links),
	})
	if err != nil {
		return fmt.Errorf("cannot send the registration: %w", err)
	}
	switch response.Code {
	case coap.Created:
	case coap.BadRequest, coap.Forbidden:
		return fmt.Errorf("%w: %v %s", errRegistrationRefused, response.Code, response.Payload)
	default:
		return fmt.Errorf("the server answered the registration %v %s", response.Code, response.Payload)
	}
	location := response.LocationPath
	if len(location) == 0 {
		location = []string{"rd", r.account.accountID(), r.account.endpointName()}
	}
	r.agent.registration = registration{location, lifetime, version}
	r.agent.tree.told(version)
	r.rememberDeviceID(location[len(location)-1])
	r.renewed("registered")
	return nil
}

func (r *registrar) query(lifetime time.Duration) []string {
	query := []string{"ep=" + r.account.endpointName(), "et=default", "lt=" + seconds(lifetime), "lwm2m=1.0"}
	if account := r.account.accountID(); account != "" {
		query = append(query, "d="+account)
	}
	query = append(query, "b=U")
	query = append(query, r.account.uri.query...)
	return append(query, "mccv="+r.agent.clientVersion())
}

// linkText is what the server is told of the resources. A server whose URI
// names no account is none of the original's kind.
func (r *registrar) linkText(links []lwm2m.Link) []byte {
	if r.account.uri.account() == "" {
		links = withoutKinds(links)
	}
	return linkText(links)
}

// update prolongs the registration. A server that does not know it any more
// gets a new one at once.
func (r *registrar) update(ctx context.Context) error {
	current := &r.agent.registration
	lifetime, version := r.agent.server.life(), current.version
	req := &coap.Request{Code: coap.POST, Path: current.location}
	if lifetime != current.lifetime {
		req.Query = append(req.Query, "lt="+seconds(lifetime))
	}
	if !r.agent.tree.isOf(version) {
		var links []lwm2m.Link
		links, version = r.agent.tree.changes()
		req.ContentFormat, req.Payload = format(formatLinks), r.linkText(links)
	}
	r.agent.expect(requestTimeout)
	response, err := r.conn.do(ctx, req)
	if err != nil {
		return fmt.Errorf("cannot send the registration update: %w", err)
	}
	if response.Code != coap.Changed {
		r.agent.Log.Info("the registration is gone", "answer", response.Code)
		r.agent.registration = registration{}
		return r.register(ctx)
	}
	current.lifetime, current.version = lifetime, version
	r.agent.tree.told(version)
	r.renewed("registration updated")
	return nil
}

// renewed notes that the registration is good for its whole lifetime again.
func (r *registrar) renewed(what string) {
	current := r.agent.registration
	r.renewAt = time.Now().Add(current.lifetime * 3 / 4)
	id := current.location[len(current.location)-1]
	r.agent.Log.Info(what, "device_id", id, "server", r.account.uri.address, "lifetime", current.lifetime)
	r.agent.setState(State{Registered: true, DeviceID: id})
}

// deregister takes the registration back, if there is one.
func (r *registrar) deregister(ctx context.Context) {
	if r.agent.registration.location == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewellTimeout)
	defer cancel()
	response, err := r.conn.Do(ctx, &coap.Request{Code: coap.DELETE, Path: r.agent.registration.location})
	r.agent.registration = registration{}
	if err != nil {
		r.agent.Log.Warn("cannot de-register", "error", err)
		return
	}
	r.agent.Log.Info("de-registered", "answer", response.Code)
}

// rememberDeviceID keeps the id the server gave, which is the last segment of
// the location: the next bootstrap names it.
func (r *registrar) rememberDeviceID(id string) {
	stored, err := r.agent.Store.Get(itemInternalEndpoint)
	if err == nil && string(stored) == id || id == "" || len(id) > maxDeviceID {
		return
	}
	err = r.agent.Store.Replace(keystore.Change{
		If:  map[string][]byte{itemProvisioning: r.mark},
		Put: map[string][]byte{itemInternalEndpoint: []byte(id)},
	})
	if err != nil && !errors.Is(err, keystore.ErrConflict) {
		r.agent.Log.Error("cannot keep the device id", "error", err)
	}
}

// clientVersion is what we call ourselves in the parameter mccv.
func (a *agent) clientVersion() string {
	version := []byte("mbl-" + a.Version)
	unfit := func(c byte) bool { return c <= ' ' || c > '~' || c == '&' }
	version = slices.DeleteFunc(version, unfit)
	return string(version[:min(len(version), 32)])
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func format(f uint16) *uint16 { return &f }
