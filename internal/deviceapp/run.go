package deviceapp

import (
	"context"
	"fmt"
	"log/slog"

	"mbl/internal/applications"
	"mbl/internal/buildinfo"
	"mbl/internal/device"
	"mbl/internal/hostinfo"
	"mbl/internal/iostreams"
)

// run is `mbl-device run`: it returns when ctx ends, after de-registering.
func run(ctx context.Context, sys *iostreams.System, inv invocation) int {
	log := newLog(sys, inv.verbose)
	present, err := announce(inv.stateDir())
	if err != nil {
		fmt.Fprintf(sys.Err, "mbl-device: cannot run on %s: %v\n", inv.stateDir(), err)
		return exitFailure
	}
	announcing, takeLeave := context.WithCancel(ctx)
	announced := announceBoard(announcing, inv, log)
	err = stayConnected(ctx, inv, log, present)
	takeLeave()
	<-announced
	if removed := present.withdraw(); removed != nil {
		log.Warn("cannot remove the run state", "error", removed)
	}
	if err != nil {
		fmt.Fprintf(sys.Err, "mbl-device: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// stayConnected runs the device. An error says that it never began.
func stayConnected(ctx context.Context, inv invocation, log *slog.Logger, present *presence) error {
	store, err := inv.protectedStore()
	if err != nil {
		return err
	}
	listener, err := listenForApplications(inv, log)
	if err != nil {
		return err
	}
	changed, err := hostinfo.WatchNetwork(ctx)
	if err != nil {
		log.Warn("changes of the network are noticed late", "error", err)
	}
	boss := supervisor{log}
	health := &device.Health{}
	watching, endWatch := context.WithCancel(context.WithoutCancel(ctx))
	defer endWatch()
	go boss.watch(watching, health)
	context.AfterFunc(ctx, boss.stopping)
	boss.ready()
	boss.status(device.State{})
	return device.Run(ctx, device.Config{
		Store:          store,
		Log:            log,
		Version:        buildinfo.Version(),
		Lifetime:       inv.lifetime,
		RetryBase:      inv.retryBase,
		KeepAlive:      inv.keepAlive,
		Reboot:         rebooter(inv.reboot),
		NetworkChanged: changed,
		Health:         health,
		Applications:   listener,
		Report: func(state device.State) {
			if err := present.set(state); err != nil {
				log.Warn("cannot write the run state", "error", err)
			}
			boss.status(state)
		},
	})
}

// listenForApplications returns nil where none may connect.
func listenForApplications(inv invocation, log *slog.Logger) (*applications.Listener, error) {
	if inv.appSocket == "" {
		return nil, nil
	}
	return applications.Listen(inv.appSocket, inv.appGroup, log)
}

func newLog(sys *iostreams.System, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(sys.Err, &slog.HandlerOptions{Level: level}))
}
