package cloudapp

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/cloud/lwm2m"
	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
	"mbl/internal/pki"
)

// deviceServers are the two servers that devices connect to. They have
// separate ports because each presents a certificate of its own.
type deviceServers struct {
	bootstrap  *lwm2m.BootstrapServer
	management *lwm2m.ManagementServer

	bootstrapPort, managementPort       *devicePort // nil: not served
	bootstrapAddress, managementAddress string
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
	s.connect = connect.New(connect.Config{
		Directory: s.service, Devices: devices.management, Limits: options.connect, Now: time.Now, Log: s.log,
	})
	s.service.UseWatcher(s.connect)
	if options.bootstrap != "" {
		devices.bootstrapPort, err = s.listenCoAP("--bootstrap", options.bootstrap, cloud.BootstrapAuthority, devices.bootstrap.VerifyPeer, nil)
		if err != nil {
			return err
		}
		devices.bootstrapAddress = s.deviceAddress(devices.bootstrapPort.addr())
	}
	if options.lwm2m != "" {
		devices.managementPort, err = s.listenCoAP("--lwm2m", options.lwm2m, cloud.LwM2MAuthority, devices.management.VerifyPeer, s.sessions)
		if err != nil {
			return err
		}
		devices.managementAddress = s.deviceAddress(devices.managementPort.addr())
	}
	if !openssl.Supported {
		s.log.Info(withoutOpenSSL)
	}
	s.service.UseServers(cloud.Servers{Bootstrap: devices.bootstrapAddress, LwM2M: devices.managementAddress})
	return nil
}

// listenCoAP opens a port with a certificate of the server's own authority,
// valid for all time because devices may have no clock. sessions may be nil:
// devices bootstrap too seldom to resume anything.
func (s *servers) listenCoAP(flag, address string, authority cloud.AuthorityName,
	verify func(context.Context, *x509.Certificate) error, sessions openssl.SessionStore,
) (*devicePort, error) {
	certificate, err := s.service.ServerCertificate(authority, s.hosts, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		return nil, err
	}
	port, err := listenPort(address, openssl.ListenConfig{
		ListenConfig: coap.ListenConfig{Certificate: certificate, VerifyPeer: verify, Log: s.log},
		Sessions:     sessions,
	})
	if err != nil {
		return nil, failure("cannot listen on %s: %w", address, err).
			WithHint("%s names another address; port 0 takes a free port", flag)
	}
	return port, nil
}

func (d *deviceServers) serve(ctx context.Context, running *errgroup.Group) {
	if d.bootstrapPort != nil {
		d.bootstrapPort.serve(ctx, running, d.bootstrap.Serve)
	}
	if d.managementPort != nil {
		d.managementPort.serve(ctx, running, d.management.Serve)
	}
}

func (d *deviceServers) close() error {
	if d == nil {
		return nil
	}
	var failed []error
	for _, port := range []*devicePort{d.bootstrapPort, d.managementPort} {
		if port != nil {
			failed = append(failed, port.close())
		}
	}
	return errors.Join(failed...)
}

// describe adds the servers' addresses to what run.json tells.
func (d *deviceServers) describe(running *addresses) {
	if d.bootstrapPort != nil {
		running.Bootstrap = "coaps://" + d.bootstrapAddress
	}
	if d.managementPort != nil {
		running.LwM2M = "coaps://" + d.managementAddress
	}
}
