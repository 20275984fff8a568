package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/e2e/stage"
	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/device"
	"mbl/internal/secret"
)

// connecting holds devices that bootstrap and register against bare
// handshakes. A device makes two handshakes, with the bootstrap server and
// with the LwM2M server, so it is held against two of them.
func connecting(ctx context.Context, dir string) (result, error) {
	const rounds, devices, atOnce = 5, 150, 16
	origin, stop, err := newDevices(ctx, dir)
	if err != nil {
		return result{}, err
	}
	defer stop()
	bare, err := newHandshaker(ctx)
	if err != nil {
		return result{}, err
	}
	defer bare.stop()

	var deviceRates, pairRates, ratios []float64
	for round := range rounds + 1 {
		pairs, err := rate(ctx, devices, atOnce, func(ctx context.Context) error {
			return errors.Join(bare.once(ctx), bare.once(ctx))
		})
		if err != nil {
			return result{}, err
		}
		connected, err := connectDevices(ctx, origin, devices, atOnce)
		if err != nil {
			return result{}, err
		}
		if round == 0 {
			continue // warms caches
		}
		deviceRates, pairRates = append(deviceRates, connected), append(pairRates, pairs)
		ratios = append(ratios, connected/pairs)
	}
	return result{
		what:  "bootstrap + registration over DTLS",
		ours:  fmt.Sprintf("%.0f devices/s", median(deviceRates)),
		bare:  fmt.Sprintf("%.0f pairs of handshakes/s", median(pairRates)),
		ratio: median(ratios),
		goal:  atLeast(0.5),
		how: fmt.Sprintf("median of %d rounds of %d devices, %d at once; SQLite, synchronous=FULL; clients and server share the machine",
			rounds, devices, atOnce),
	}, nil
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

// connectDevices lets new devices connect and returns how many a second. They
// stay until all are registered, so that leaving is not measured.
func connectDevices(ctx context.Context, origin *memory, devices, atOnce int) (float64, error) {
	ctx, leave := context.WithCancel(ctx)
	var staying sync.WaitGroup
	defer staying.Wait()
	defer leave()
	return rate(ctx, devices, atOnce, func(context.Context) error {
		registered := make(chan struct{})
		var once atomic.Bool
		cfg := device.Config{
			Store: origin.clone(),
			Log:   slog.New(slog.DiscardHandler),
			Report: func(state device.State) {
				if state.Registered && once.CompareAndSwap(false, true) {
					close(registered)
				}
			},
		}
		staying.Go(func() { _ = device.Run(ctx, cfg) }) // it ends well or not at all
		select {
		case <-registered:
			return nil
		case <-time.After(stage.Patience):
			return errors.New("a device did not register in time")
		}
	})
}

// newDevices starts a service and makes the storage of a provisioned device.
func newDevices(ctx context.Context, dir string) (*memory, func(), error) {
	service, err := stage.StartService(program("mbl-cloud"), filepath.Join(dir, "data"), stage.Options{Dir: dir},
		append(stage.ServiceFlags(), "--devices-per-certificate", "0")...)
	if err != nil {
		return nil, nil, err
	}
	stop := func() { service.Stop() }
	origin, err := provisioned(ctx, service, filepath.Join(dir, "credentials"))
	if err != nil {
		stop()
		return nil, nil, err
	}
	return origin, stop, nil
}

// provisioned does to a storage what mbl-cli and mbl-device do together.
func provisioned(ctx context.Context, service *stage.Service, folder string) (*memory, error) {
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
	source, err := os.ReadFile("testdata/vectors/manifest-tool-2.6.2/update_default_resources.c")
	if err != nil {
		return nil, err
	}
	update, err := credential.ParseUpdate(source)
	if err != nil {
		return nil, err
	}
	if err := writeVariables(folder, append(developer.Variables(), update.Variables()...)); err != nil {
		return nil, err
	}
	store := newMemory()
	return store, device.Provision(store, device.Folder{Path: folder})
}

func writeVariables(folder string, variables []credential.Variable) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	for _, v := range variables {
		if err := os.WriteFile(filepath.Join(folder, v.Name+".bin"), v.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
