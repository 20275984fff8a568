package cloudapp

import (
	"context"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
)

// listenEarlier opens the ports on which devices from before a rotation of a
// server's authority find a server that they trust. Without them such devices
// would throw their credentials away, so they are not left out by mistake.
func (s *servers) listenEarlier(options serveOptions) (err error) {
	devices := s.devices
	devices.bootstrapEarlier, err = s.listenForEarlier(cloud.BootstrapAuthority, options.bootstrap, options.bootstrapEarlier, devices.bootstrapPeers(), nil)
	if err != nil {
		return err
	}
	devices.managementEarlier, err = s.listenForEarlier(cloud.LwM2MAuthority, options.lwm2m, options.lwm2mEarlier, devices.managementPeers(), s.sessions)
	return err
}

func (s *servers) listenForEarlier(authority cloud.AuthorityName, present, address string,
	peers coap.ListenConfig, sessions openssl.SessionStore,
) (*devicePort, error) {
	flag := "--" + string(authority) + "-earlier"
	kept := s.service.HasAuthority(authority.Earlier())
	switch {
	case kept && present != "" && address == "":
		return nil, failure("the certificate authority %q was rotated, and devices from before trust only the earlier one", authority).
			WithHint("%s is the address they know, --%s a new one; or `mbl-cloud ca retire %s` forgets the earlier one", flag, authority, authority)
	case !kept && address != "":
		s.log.Warn(flag + " is not needed: there is no earlier authority")
		return nil, nil
	case address == "":
		return nil, nil
	}
	return s.listenCoAP(flag, address, authority.Earlier(), peers, sessions)
}

func (d *deviceServers) serveEarlier(ctx context.Context, running *errgroup.Group) {
	if d.bootstrapEarlier != nil {
		d.bootstrapEarlier.serve(ctx, running, d.bootstrap.Serve)
	}
	if d.managementEarlier != nil {
		d.managementEarlier.serve(ctx, running, d.management.Serve)
	}
}

func (d *deviceServers) describeEarlier(running *addresses) {
	if d.bootstrapEarlier != nil {
		running.BootstrapEarlier = "coaps://" + d.bootstrapEarlier.addr().String()
	}
	if d.managementEarlier != nil {
		running.LwM2MEarlier = "coaps://" + d.managementEarlier.addr().String()
	}
}
