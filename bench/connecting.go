package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/e2e/stage"
	"mbl/internal/cloudapi"
	"mbl/internal/coap"
	"mbl/internal/credential"
	"mbl/internal/secret"
)

// A fleet that comes back after a power cut: many are under way at a time.
const (
	connectingRounds  = 7
	connectingDevices = 256 // in a round
	connectingAtOnce  = 64
)

// arrivals is what one round has seen, each so many a second.
type arrivals struct{ handshakes, bootstraps, registrations, devices float64 }

// connecting holds what devices do to come online against bare handshakes: a
// bootstrap and a registration against one each, and both in a row, as a new
// device does, against two.
func connecting(ctx context.Context, dir string) ([]result, error) {
	device, stop, err := newDevices(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	bare, err := newHandshaker(ctx)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	var rounds []arrivals
	for round := range connectingRounds + 1 {
		seen, err := connectingRound(ctx, device, bare)
		if err != nil {
			return nil, err
		}
		if round > 0 { // the first warms caches
			rounds = append(rounds, seen)
		}
	}
	handshakes := func(p arrivals) float64 { return p.handshakes }
	return []result{
		paceRow(rounds, "bootstraps over DTLS", "bootstraps/s", func(p arrivals) float64 { return p.bootstraps }, "handshakes/s", handshakes),
		paceRow(rounds, "registrations over DTLS", "registrations/s", func(p arrivals) float64 { return p.registrations }, "handshakes/s", handshakes),
		paceRow(rounds, "bootstrap + registration over DTLS", "devices/s", func(p arrivals) float64 { return p.devices },
			"pairs of handshakes/s", func(p arrivals) float64 { return p.handshakes / 2 }),
	}, nil
}

func connectingRound(ctx context.Context, device *wireDevice, bare *handshaker) (p arrivals, err error) {
	const devices, atOnce = connectingDevices, connectingAtOnce
	if p.handshakes, err = rate(ctx, 2*devices, atOnce, bare.once); err != nil {
		return p, err
	}
	granted := make(chan account, devices)
	p.bootstraps, err = rate(ctx, devices, atOnce, func(ctx context.Context) error {
		account, err := device.askForCredentials(ctx)
		if err == nil {
			granted <- account
		}
		return err
	})
	if err != nil {
		return p, err
	}
	p.registrations, err = stay(ctx, func(ctx context.Context) (*coap.Session, error) { return device.register(ctx, <-granted) })
	if err != nil {
		return p, err
	}
	p.devices, err = stay(ctx, device.connect)
	return p, err
}

// paceRow holds one figure of each round against another of the same round.
func paceRow(rounds []arrivals, what, unit string, ours func(arrivals) float64, bareUnit string, bare func(arrivals) float64) result {
	var oursRates, bareRates, ratios []float64
	for _, round := range rounds {
		oursRates, bareRates = append(oursRates, ours(round)), append(bareRates, bare(round))
		ratios = append(ratios, ours(round)/bare(round))
	}
	return result{
		what:  what,
		ours:  fmt.Sprintf("%.0f %s", median(oursRates), unit),
		bare:  fmt.Sprintf("%.0f %s", median(bareRates), bareUnit),
		ratio: median(ratios),
		goal:  atLeast(0.5),
		how: fmt.Sprintf("median of %d rounds of %d devices, %d at once; SQLite, synchronous=FULL; clients and server share the machine",
			connectingRounds, connectingDevices, connectingAtOnce),
	}
}

// rate does something so many times, some at once, and returns how many a
// second.
func rate(ctx context.Context, times, atOnce int, do func(context.Context) error) (float64, error) {
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for range times {
		group.Go(func() error { return do(ctx) })
	}
	err := group.Wait()
	return float64(times) / time.Since(start).Seconds(), err
}

// stay lets devices come online and returns how many a second. They stay until
// all are registered, so that leaving is not measured.
func stay(ctx context.Context, arrive func(context.Context) (*coap.Session, error)) (float64, error) {
	sessions := make(chan *coap.Session, connectingDevices)
	connected, err := rate(ctx, connectingDevices, connectingAtOnce, func(ctx context.Context) error {
		// The session outlives the context of the work.
		session, err := arrive(context.WithoutCancel(ctx))
		if err == nil {
			sessions <- session
		}
		return err
	})
	close(sessions)
	for session := range sessions {
		_ = session.Close()
	}
	return connected, err
}

// newDevices starts a service and makes what its devices connect with.
func newDevices(ctx context.Context, dir string) (*wireDevice, func(), error) {
	service, err := stage.StartService(program("mbl-cloud"), filepath.Join(dir, "data"), stage.Options{Dir: dir},
		append(stage.ServiceFlags(), "--devices-per-certificate", "0")...)
	if err != nil {
		return nil, nil, err
	}
	stop := func() { service.Stop() }
	device, err := provisioned(ctx, service)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return device, stop, nil
}

func provisioned(ctx context.Context, service *stage.Service) (*wireDevice, error) {
	key, err := service.NewKey("bench", "administrators")
	if err != nil {
		return nil, err
	}
	client, err := cloudapi.New(cloudapi.Config{BaseURL: service.HTTP, Key: secret.New(key)})
	if err != nil {
		return nil, err
	}
	certificate, err := client.CreateDeveloperCertificate(ctx, "bench", "")
	if err != nil {
		return nil, err
	}
	developer, err := credential.ParseDeveloper([]byte(certificate.SecurityFileContent.Reveal()))
	if err != nil {
		return nil, err
	}
	return newWireDevice(developer)
}
