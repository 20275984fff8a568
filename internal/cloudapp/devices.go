package cloudapp

import (
	"context"
	"crypto/x509"
	"errors"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/cloud/lwm2m"
	"mbl/internal/coap"
	"mbl/internal/pki"
)

// deviceServers are the two servers that devices connect to. They have
// separate ports because each presents a certificate of its own.
type deviceServers struct {
	bootstrap  *lwm2m.BootstrapServer
	management *lwm2m.ManagementServer

	bootstrapListener, managementListener *coap.Listener // nil: not served
	bootstrapAddress, managementAddress   string
}

var _ cloud.Connections = (*lwm2m.ManagementServer)(nil)

// listenDevices opens the ports for devices and tells the brain about them.
func (s *servers) listenDevices(options serveOptions) (err error) {
	counted := countedService{Service: s.service, metrics: s.metrics}
	devices := &deviceServers{
		bootstrap:         lwm2m.NewBootstrapServer(counted, s.log),
		management:        lwm2m.NewManagementServer(counted, s.log),
		bootstrapAddress:  options.bootstrap,
		managementAddress: options.lwm2m,
	}
	s.devices = devices
	s.service.UseConnections(devices.management)
	if options.bootstrap != "" {
		devices.bootstrapListener, err = s.listenCoAP("--bootstrap", options.bootstrap, cloud.BootstrapAuthority, devices.bootstrap.VerifyPeer)
		if err != nil {
			return err
		}
		devices.bootstrapAddress = s.deviceAddress(devices.bootstrapListener.Addr())
	}
	if options.lwm2m != "" {
		devices.managementListener, err = s.listenCoAP("--lwm2m", options.lwm2m, cloud.LwM2MAuthority, devices.management.VerifyPeer)
		if err != nil {
			return err
		}
		devices.managementAddress = s.deviceAddress(devices.managementListener.Addr())
	}
	s.service.UseServers(cloud.Servers{Bootstrap: devices.bootstrapAddress, LwM2M: devices.managementAddress})
	return nil
}

// listenCoAP opens a DTLS port with a certificate of the server's own
// authority, valid for all time because devices may have no clock.
func (s *servers) listenCoAP(flag, address string, authority cloud.AuthorityName,
	verify func(context.Context, *x509.Certificate) error,
) (*coap.Listener, error) {
	certificate, err := s.service.ServerCertificate(authority, s.hosts, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		return nil, err
	}
	listener, err := coap.Listen(address, coap.ListenConfig{
		Certificate: certificate,
		VerifyPeer:  verify,
		Log:         s.log,
	})
	if err != nil {
		return nil, failure("cannot listen on %s: %w", address, err).
			WithHint("%s names another address; port 0 takes a free port", flag)
	}
	return listener, nil
}

func (d *deviceServers) serve(ctx context.Context, running *errgroup.Group) {
	if d.bootstrapListener != nil {
		running.Go(func() error { return d.bootstrap.Serve(ctx, d.bootstrapListener) })
	}
	if d.managementListener != nil {
		running.Go(func() error { return d.management.Serve(ctx, d.managementListener) })
	}
}

func (d *deviceServers) close() error {
	if d == nil {
		return nil
	}
	var failed []error
	for _, listener := range []*coap.Listener{d.bootstrapListener, d.managementListener} {
		if listener != nil {
			failed = append(failed, listener.Close())
		}
	}
	return errors.Join(failed...)
}

// describe adds the servers' addresses to what run.json tells.
func (d *deviceServers) describe(running *addresses) {
	if d.bootstrapListener != nil {
		running.Bootstrap = "coaps://" + d.bootstrapAddress
	}
	if d.managementListener != nil {
		running.LwM2M = "coaps://" + d.managementAddress
	}
}
