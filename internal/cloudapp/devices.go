package cloudapp

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/cloud/lwm2m"
	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
	"mbl/internal/pki"
	"mbl/internal/webhook"
)

// deviceServers are the two servers that devices connect to. They have
// separate ports because each presents a certificate of its own.
type deviceServers struct {
	bootstrap  *lwm2m.BootstrapServer
	management *lwm2m.ManagementServer

	bootstrapPort, managementPort       *devicePort // nil: not served
	bootstrapAddress, managementAddress string
	bootstrapEarlier, managementEarlier *devicePort // for devices from before a rotation; nil: not served
}

var (
	_ cloud.Connections = (*lwm2m.ManagementServer)(nil)
	_ connect.Devices   = (*lwm2m.ManagementServer)(nil)
	_ lwm2m.Observer    = (*connect.Service)(nil)
)

// listenDevices opens the ports for devices and tells the brain about them.
func (s *servers) listenDevices(ctx context.Context, options serveOptions) (err error) {
	counted := countedService{Service: s.service, metrics: s.metrics}
	devices := &deviceServers{
		bootstrap:         lwm2m.NewBootstrapServer(counted, s.log),
		management:        lwm2m.NewManagementServer(counted, s.log),
		bootstrapAddress:  options.bootstrap,
		managementAddress: options.lwm2m,
	}
	s.devices = devices
	s.service.UseConnections(devices.management)
	connected := connect.New(connect.Config{
		Directory: s.service, Devices: devices.management, Memory: s.service, Callbacks: webhook.New(options.privateCallbacks),
		Limits: options.connect, Now: time.Now, Log: s.log,
	})
	if err := connected.Load(ctx); err != nil {
		return err
	}
	s.connect = connected
	s.service.UseWatcher(connected)
	devices.management.UseObserver(connected)
	if options.bootstrap != "" {
		devices.bootstrapPort, err = s.listenCoAP("--bootstrap", options.bootstrap, cloud.BootstrapAuthority, devices.bootstrapPeers(), nil)
		if err != nil {
			return err
		}
		devices.bootstrapAddress = s.deviceAddress(devices.bootstrapPort.addr())
	}
	if options.lwm2m != "" {
		devices.managementPort, err = s.listenCoAP("--lwm2m", options.lwm2m, cloud.LwM2MAuthority, devices.managementPeers(), s.sessions)
		if err != nil {
			return err
		}
		devices.managementAddress = s.deviceAddress(devices.managementPort.addr())
	}
	if err := s.listenEarlier(options); err != nil {
		return err
	}
	if !openssl.Supported {
		s.log.Info(withoutOpenSSL)
	}
	s.service.UseServers(cloud.Servers{Bootstrap: devices.bootstrapAddress, LwM2M: devices.managementAddress})
	return nil
}

// bootstrapPeers say whom the bootstrap server lets in.
func (d *deviceServers) bootstrapPeers() coap.ListenConfig {
	return coap.ListenConfig{VerifyChain: d.bootstrap.VerifyChain, SharedKey: d.bootstrap.SharedKey}
}

// managementPeers say whom the management server lets in.
func (d *deviceServers) managementPeers() coap.ListenConfig {
	return coap.ListenConfig{VerifyChain: d.management.VerifyChain}
}

// listenCoAP opens a port with a certificate of the server's own authority,
// valid for all time because devices may have no clock. sessions may be nil:
// devices bootstrap too seldom to resume anything.
func (s *servers) listenCoAP(flag, address string, authority cloud.AuthorityName,
	peers coap.ListenConfig, sessions openssl.SessionStore,
) (*devicePort, error) {
	certificate, err := s.service.ServerCertificate(authority, s.hosts, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		return nil, err
	}
	peers.Certificate, peers.Log, peers.Observer = certificate, s.log, s.metrics.ports.of(string(authority))
	port, err := listenPort(address, openssl.ListenConfig{ListenConfig: s.limits.limit(peers), Sessions: sessions})
	if err != nil {
		return nil, failure("cannot listen on %s: %w", address, err).
			WithHint("%s names another address; port 0 takes a free port", flag)
	}
	s.metrics.countConnections(string(authority), port)
	return port, nil
}

func (d *deviceServers) serve(ctx context.Context, running *errgroup.Group) {
	if d.bootstrapPort != nil {
		d.bootstrapPort.serve(ctx, running, d.bootstrap.Serve)
	}
	if d.managementPort != nil {
		d.managementPort.serve(ctx, running, d.management.Serve)
	}
	d.serveEarlier(ctx, running)
}

func (d *deviceServers) close() error {
	if d == nil {
		return nil
	}
	var closing errgroup.Group
	for _, port := range []*devicePort{d.bootstrapPort, d.managementPort, d.bootstrapEarlier, d.managementEarlier} {
		if port != nil {
			closing.Go(port.close)
		}
	}
	return closing.Wait()
}

// describe adds the servers' addresses to what run.json tells.
func (d *deviceServers) describe(running *addresses) {
	if d.bootstrapPort != nil {
		running.Bootstrap = "coaps://" + d.bootstrapAddress
	}
	if d.managementPort != nil {
		running.LwM2M = "coaps://" + d.managementAddress
	}
	d.describeEarlier(running)
}
