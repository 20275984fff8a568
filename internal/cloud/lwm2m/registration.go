package lwm2m

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// deviceSession is one device on the management server.
type deviceSession struct {
	server  *ManagementServer
	conn    coap.Conn
	session *coap.Session
	asked   atomic.Bool // to bootstrap again

	mu sync.Mutex
	id string // device id, once it is known
}

// log is made anew each time: it would be the larger part of an idle session.
func (d *deviceSession) log() *slog.Logger {
	return d.server.log.With("peer", d.conn.RemoteAddr().String())
}

// identify asks who the device is, each time: it may have been revoked since.
func (d *deviceSession) identify(ctx context.Context) (cloud.Identity, error) {
	cuts := d.server.cutsSoFar()
	identity, err := d.server.svc.RecognizeDevice(ctx, d.conn.PeerCertificate())
	if err != nil {
		return cloud.Identity{}, err
	}
	d.mu.Lock()
	first := d.id == ""
	d.id = identity.DeviceID
	d.mu.Unlock()
	if first && d.server.keep(identity.DeviceID, d.session) != cuts {
		// Whoever cut a device off meanwhile did not find its session: it may
		// have been this one.
		return d.server.svc.RecognizeDevice(ctx, d.conn.PeerCertificate())
	}
	return identity, nil
}

// leave gives up what the device is known by here, until it asks for something
// again. Standard clients de-register and are gone, without a close_notify; the
// next bootstrap of such a device need not wait for pings that nobody answers.
func (d *deviceSession) leave() {
	d.mu.Lock()
	id := d.id
	d.id = ""
	d.mu.Unlock()
	d.server.forget(id, d.session)
}

// handle answers the device's requests: the registration interface (LwM2M 1.0
// §5.3). The path of a registration is the location it was given.
func (d *deviceSession) handle(ctx context.Context, req *coap.Request) *coap.Response {
	if len(req.Path) == 0 || req.Path[0] != "rd" {
		return &coap.Response{Code: coap.NotFound}
	}
	identity, err := d.identify(ctx)
	if err != nil {
		return d.refuse("recognise", err)
	}
	switch {
	case req.Code == coap.POST && len(req.Path) == 1:
		return d.register(ctx, identity, req)
	case req.Code == coap.POST:
		return d.update(ctx, identity, req)
	case req.Code == coap.DELETE && len(req.Path) > 1:
		return d.deregister(ctx, identity, req)
	default:
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
}

func (d *deviceSession) register(ctx context.Context, identity cloud.Identity, req *coap.Request) *coap.Response {
	if !linksFormat(req.ContentFormat) {
		return &coap.Response{Code: coap.UnsupportedContentFormat}
	}
	registration, err := d.registration(identity, req)
	if err != nil {
		return d.refuse("register", err)
	}
	location, err := d.server.svc.Register(ctx, identity, registration)
	if err != nil {
		return d.refuse("register", err)
	}
	d.log().Info("registered", "device", identity.DeviceID)
	return &coap.Response{Code: coap.Created, LocationPath: location, Then: d.renewing(identity)}
}

func (d *deviceSession) registration(identity cloud.Identity, req *coap.Request) (cloud.Registration, error) {
	q, err := parseQuery(req.Query)
	if err != nil {
		return cloud.Registration{}, err
	}
	account, err := q.account()
	if err != nil {
		return cloud.Registration{}, err
	}
	lifetime, err := q.lifetime()
	if err != nil {
		return cloud.Registration{}, err
	}
	links, err := linksOf(req, q.isOriginal())
	if err != nil {
		return cloud.Registration{}, err
	}
	registration := cloud.Registration{
		EndpointName:  cmp.Or(q["ep"], identity.EndpointName), // optional since LwM2M 1.1
		AccountID:     account,
		DeviceID:      q["iep"],
		EndpointType:  printable(q["et"]),
		Binding:       q.binding(),
		LwM2MVersion:  printable(q["lwm2m"]),
		ClientVersion: printable(q["mccv"]),
		RemoteAddr:    d.conn.RemoteAddr().String(),
		Links:         links,
	}
	if lifetime != nil {
		registration.Lifetime = *lifetime
	}
	return registration, nil
}

// update renews a registration. Any answer but 2.04 makes the original client
// register anew.
func (d *deviceSession) update(ctx context.Context, identity cloud.Identity, req *coap.Request) *coap.Response {
	q, err := parseQuery(req.Query)
	if err != nil {
		return d.refuse("update", err)
	}
	lifetime, err := q.lifetime()
	if err != nil {
		return d.refuse("update", err)
	}
	links, err := linksOf(req, q.isOriginal())
	if err != nil {
		return d.refuse("update", err)
	}
	update := cloud.RegistrationUpdate{
		Lifetime:   lifetime,
		Binding:    q.binding(),
		Links:      links,
		RemoteAddr: d.conn.RemoteAddr().String(),
	}
	if err := d.server.svc.UpdateRegistration(ctx, identity, req.Path, update); err != nil {
		return d.refuse("update", err)
	}
	return &coap.Response{Code: coap.Changed, Then: d.renewing(identity)}
}

func (d *deviceSession) deregister(ctx context.Context, identity cloud.Identity, req *coap.Request) *coap.Response {
	if err := d.server.svc.Deregister(ctx, identity, req.Path); err != nil {
		return d.refuse("deregister", err)
	}
	d.log().Info("deregistered", "device", identity.DeviceID)
	d.leave()
	return &coap.Response{Code: coap.Deleted}
}

func (d *deviceSession) refuse(what string, err error) *coap.Response {
	code := codeOf(err)
	if isRefusal(err) {
		d.log().Info("request of a device refused", "request", what, "code", code.String(), "reason", err)
	} else {
		d.log().Error("cannot serve a device", "request", what, "error", err)
	}
	return &coap.Response{Code: code}
}
