package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/discovery"
	"mbl/internal/usererr"
)

const demoLong = `Goes the whole way once, with the real programs, on this machine: starts a
service and a virtual device, finds and selects the device, makes credentials,
provisions the device, and waits until the service shows it registered.

Everything lies in a temporary folder, the home folder of mbl-cli included, and
is gone afterwards. It fails unless the device is registered in the end; the
logs are then kept.`

func newDemoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Provision a virtual device and see it come online",
		Long:  demoLong,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

func (a *app) demo(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "mbl-demo-")
	if err != nil {
		return fmt.Errorf("cannot make a temporary folder: %w", err)
	}
	w, err := a.newWorld(dir)
	if err != nil {
		return errors.Join(err, removeFolder(dir))
	}
	start := time.Now()
	err = a.playDemo(ctx, w)
	w.stop()
	switch {
	case ctx.Err() != nil:
		return errors.Join(usererr.New(usererr.ExitInterrupted, "interrupted; everything is stopped and removed"), removeFolder(dir))
	case err != nil:
		a.showLogs(w)
		return errors.Join(err, removeAllBut(dir, w.logDir()))
	}
	fmt.Fprintf(a.sys.Out, "\nDone in %d s: the device is provisioned and registered. Everything is stopped and removed.\n",
		int(time.Since(start).Round(time.Second).Seconds()))
	return removeFolder(dir)
}

// playDemo starts the actors and goes through the script.
func (a *app) playDemo(ctx context.Context, w *world) error {
	fmt.Fprintf(a.sys.Out, "A service and a virtual device on this machine, in %s\n\n", w.dir)
	made, err := w.startService(ctx, anyPorts())
	if err != nil {
		return err
	}
	fmt.Fprintf(a.sys.Out, "mbl-cloud           %s\n", made.HTTP)
	device, err := w.startDevice(ctx, fmt.Sprintf("mbl-demo-%d", os.Getpid()))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.sys.Out, "mbl-sandbox device  %s, SSH on %s\n", device.Name, device.SSH)
	key, err := w.newAPIKey(ctx)
	if err != nil {
		return err
	}
	typist, err := a.newTypist(filepath.Join(w.dir, "home"))
	if err != nil {
		return err
	}
	if err := a.chooseDemoDevice(ctx, typist, device); err != nil {
		return err
	}
	return typist.play(ctx, demoScript(made.HTTP, key))
}

// chooseDemoDevice finds the device by mDNS, or names it by its address where
// that is not possible.
func (a *app) chooseDemoDevice(ctx context.Context, typist *typist, device runFile) error {
	if answers(ctx, device.Name) {
		return typist.play(ctx, []step{
			{why: "Which devices are there?", args: []string{"list"}},
			{why: "Work with this one.", args: []string{"select", device.Name}},
		})
	}
	fmt.Fprintf(a.sys.Out, "\nmDNS is not possible on this machine: the device is named by its address, with -a.\n")
	typist.address = device.SSH
	return nil
}

// mdnsTime is how long the device has to be seen.
const mdnsTime = 3 * time.Second

// answers tells whether a device is seen by mDNS.
func answers(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, mdnsTime)
	defer cancel()
	devices, err := discovery.Browse(ctx, discovery.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return false
	}
	seen := false
	for device := range devices {
		if device.Name == name {
			seen = true
			cancel()
		}
	}
	return seen
}

func demoScript(url, key string) []step {
	return []step{
		{
			why:  "Keep the API key, which is typed where nobody sees it.",
			args: []string{"--api-url", url, "save-api-key", "-"}, stdin: key + "\n",
		},
		{
			why:  "Make an authority for firmware updates.",
			args: []string{"create-update-certificate", "demo-update", "--domain", "example.com", "--model", "demo-board"},
		},
		{
			why:  "Make a developer certificate and bring both to the device.",
			args: []string{"provision-pelion", "demo-cert", "demo-update", "--create-dev-cert", "--accept-new-host-key"}, device: true,
		},
		{
			why:  "Does the device have everything?",
			args: []string{"get-pelion-status"}, device: true,
		},
		{
			why:  "The device connects by itself. Until it does, ask again.",
			args: []string{"device", "list"}, until: registeredState,
		},
		{
			why:  "Both sides agree, and the service has learnt the device's name.",
			args: []string{"get-pelion-status"}, device: true,
		},
	}
}

// showLogs says where the logs are and how they end, for those who see nothing
// but this output.
func (a *app) showLogs(w *world) {
	fmt.Fprintf(a.sys.Err, "\nThe logs are in %s\n", w.logDir())
	logs, err := filepath.Glob(w.log("*"))
	if err != nil {
		return // the pattern is good
	}
	for _, log := range logs {
		fmt.Fprintf(a.sys.Err, "%s ends with:\n%s\n", filepath.Base(log), tail(log))
	}
}

// removeAllBut removes what is in dir, keys and all, except one entry.
func removeAllBut(dir, kept string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if path := filepath.Join(dir, entry.Name()); path != kept {
			err = errors.Join(err, removeFolder(path))
		}
	}
	return err
}
