package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mbl/internal/usererr"
)

const upLong = `Starts a service and virtual devices, prints how to reach them, and runs them
until Ctrl-C.

Without --data everything lies in a temporary folder and is gone afterwards.
With it, the folder keeps the service and the devices: the next start has the
same ones, at new SSH ports, and the service listens on its usual ports (8080,
5684, 5685, 8081 on 127.0.0.1).`

type upOptions struct {
	devices int
	data    string
}

func newUpCommand(a *app) *cobra.Command {
	opts := upOptions{devices: 1}
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Run a service and virtual devices until Ctrl-C",
		Long:    upLong,
		Example: "  mbl-sandbox up --devices 3",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.up(cmd.Context(), opts) },
	}
	cmd.Flags().IntVar(&opts.devices, "devices", opts.devices, "how many virtual devices")
	cmd.Flags().StringVar(&opts.data, "data", "", "`DIR` to keep the service and the devices in")
	return cmd
}

func (a *app) up(ctx context.Context, opts upOptions) (err error) {
	if opts.devices < 0 || opts.devices > 1000 {
		return usererr.Usage("--devices is %d, not from 0 to 1000", opts.devices)
	}
	dir, ports := opts.data, usualPorts()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "mbl-sandbox-"); err != nil {
			return fmt.Errorf("cannot make a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, removeFolder(dir)) }()
		ports = anyPorts()
	}
	w, err := a.newWorld(dir)
	if err != nil {
		return err
	}
	defer w.stop()
	if err := a.startAll(ctx, w, ports, opts.devices); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C while it was starting
		}
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.sys.Err, "\nStopping.")
		return nil
	case program := <-w.failed(ctx):
		return usererr.Failure("%s ended by itself", program.name).WithHint("its log ends with:\n%s", tail(program.logFile))
	}
}

func (a *app) startAll(ctx context.Context, w *world, ports servicePorts, devices int) error {
	made, err := w.startService(ctx, ports)
	if err != nil {
		return err
	}
	key, err := w.newAPIKey(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.sys.Out, "The service is %s, its files and logs are in %s\n", made.HTTP, w.dir)
	names, err := w.deviceNames(devices)
	if err != nil {
		return err
	}
	err = w.startDevices(ctx, names, func(run runFile) {
		fmt.Fprintf(a.sys.Out, "%s is a virtual device, SSH on %s\n", run.Name, run.SSH)
	})
	if err != nil {
		return err
	}
	first := "NAME"
	if len(names) > 0 {
		first = names[0]
	}
	a.printHowTo(made.HTTP, key, first)
	return nil
}

const howTo = `
Try it in another terminal. What mbl-cli keeps goes to your home folder as
usual; to keep this apart, begin with: export HOME=$(mktemp -d)

  %[1]s --api-url %[2]s save-api-key %[3]s
  %[1]s list
  %[1]s select %[4]s
  %[1]s create-update-certificate my-updates --domain example.com --model my-board
  %[1]s provision-pelion my-devices my-updates --create-dev-cert
  %[1]s get-pelion-status
  %[1]s device list

Ctrl-C stops everything.
`

func (a *app) printHowTo(url, key, device string) {
	fmt.Fprintf(a.sys.Out, howTo, a.shownAs("mbl-cli"), url, key, device)
}
