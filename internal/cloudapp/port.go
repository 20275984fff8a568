package cloudapp

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud/lwm2m"
	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
)

// withoutOpenSSL is what the log says of a program built without it.
const withoutOpenSSL = "built without OpenSSL: devices with the original client's TCP transport cannot connect, only those over UDP"

// devicePort is one port number for devices: UDP, and TCP if OpenSSL was built
// in. A device's URI does not say which of them it means.
type devicePort struct {
	udp *coap.Listener
	tcp *openssl.Listener // nil: not built in
}

// portAttempts is how often a free number is looked for that is free on both.
const portAttempts = 50

// listenPort opens a port, the same number on UDP and TCP also when address
// leaves it to the system.
func listenPort(address string, cfg openssl.ListenConfig) (port *devicePort, err error) {
	for range portAttempts {
		port, err = listenBoth(address, cfg)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasSuffix(address, ":0") {
			break
		}
	}
	return port, err
}

func listenBoth(address string, cfg openssl.ListenConfig) (*devicePort, error) {
	udp, err := coap.Listen(address, cfg.ListenConfig)
	if err != nil {
		return nil, err
	}
	if !openssl.Supported {
		return &devicePort{udp: udp}, nil
	}
	tcp, err := openssl.Listen(udp.Addr().String(), cfg)
	if err != nil {
		return nil, errors.Join(err, udp.Close())
	}
	return &devicePort{udp: udp, tcp: tcp}, nil
}

func (p *devicePort) addr() net.Addr { return p.udp.Addr() }

// serve serves both transports alike.
func (p *devicePort) serve(ctx context.Context, running *errgroup.Group, serve func(context.Context, lwm2m.Listener) error) {
	running.Go(func() error { return serve(ctx, p.udp) })
	if p.tcp != nil {
		running.Go(func() error { return serve(ctx, p.tcp) })
	}
}

func (p *devicePort) close() error {
	var closing errgroup.Group
	closing.Go(p.udp.Close)
	if p.tcp != nil {
		closing.Go(p.tcp.Close)
	}
	return closing.Wait()
}
