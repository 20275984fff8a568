package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/sandbox/swarm"
	"mbl/internal/secret"
	"mbl/internal/usererr"
)

const swarmLong = `Keeps light devices connected to a service until Ctrl-C. Each bootstraps,
registers and answers reads by itself, but has no SSH server and no file tree.

Developer certificates are made for them in the service, one for as many devices
as the service allows. At the end the devices de-register, and they and the
certificates are removed from the service.

It exits with 1 when devices were not registered although all had time to join.`

const (
	envKey    = "MBED_CLOUD_SDK_API_KEY"
	envCAFile = "MBL_CA_FILE"

	swarmReport  = 2 * time.Second
	removalLimit = time.Minute
	// usualPerCertificate is how many devices one developer certificate is
	// good for, unless the service's settings say otherwise.
	usualPerCertificate = 100
	// sparedFiles are what the process needs besides one socket a device.
	sparedFiles = 200
)

type swarmOptions struct {
	apiURL, key, caFile string
	insecureHTTP        bool
	devices             int
	perCertificate      int
	transport           string
	rate                float64
	keepAlive           time.Duration
}

func newSwarmCommand(a *app) *cobra.Command {
	opts := swarmOptions{perCertificate: usualPerCertificate, transport: "udp", keepAlive: 10 * time.Second}
	cmd := &cobra.Command{
		Use:     "swarm --api-url URL --devices N",
		Short:   "Keep many light devices connected to a service until Ctrl-C",
		Long:    swarmLong,
		Example: "  MBED_CLOUD_SDK_API_KEY=ak_… mbl-sandbox swarm --api-url http://127.0.0.1:8080 --devices 1000 --transport mixed",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.swarm(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.apiURL, "api-url", "", "`URL` of the service")
	flags.StringVar(&opts.key, "api-key", "", "API `KEY`; other users of this machine can see it, "+envKey+" keeps it from them")
	flags.StringVar(&opts.caFile, "ca-file", "", "PEM `FILE` with the CA of the service's HTTPS certificate")
	flags.BoolVar(&opts.insecureHTTP, "insecure-http", false, "send the API key to another machine without encryption")
	flags.IntVar(&opts.devices, "devices", 0, "how many devices")
	flags.IntVar(&opts.perCertificate, "devices-per-certificate", opts.perCertificate, "devices for one developer certificate, as the service is set; 0: all")
	flags.StringVar(&opts.transport, "transport", opts.transport, "`TRANSPORT`: udp, tcp, or mixed for half of each")
	flags.Float64Var(&opts.rate, "rate", 0, "devices that begin to join in a second; 0: as many as the service takes")
	flags.DurationVar(&opts.keepAlive, "keep-alive", opts.keepAlive, "time between a device's signs of life")
	for _, name := range []string{"api-url", "devices"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is declared above
		}
	}
	return cmd
}

// transports are what the devices use in turn.
func (o swarmOptions) transports() ([]swarm.Transport, error) {
	switch o.transport {
	case "udp":
		return []swarm.Transport{swarm.UDP}, nil
	case "tcp":
		return []swarm.Transport{swarm.TCP}, nil
	case "mixed":
		return []swarm.Transport{swarm.UDP, swarm.TCP}, nil
	default:
		return nil, usererr.Usage("--transport is %q, not udp, tcp or mixed", o.transport)
	}
}

func (o swarmOptions) check() error {
	switch {
	case o.devices < 1:
		return usererr.Usage("--devices is %d, not a number of devices", o.devices)
	case o.perCertificate < 0:
		return usererr.Usage("--devices-per-certificate is %d, not a number or 0", o.perCertificate)
	case o.rate < 0:
		return usererr.Usage("--rate is %v, not a number of devices or 0", o.rate)
	case o.keepAlive < time.Second:
		return usererr.Usage("--keep-alive is %v, less than a second", o.keepAlive)
	}
	if most := openFiles(); most > 0 && o.devices > most-sparedFiles {
		return usererr.Failure("%d devices need as many sockets, and this process may open %d files", o.devices, most).
			WithHint("`ulimit -Hn` shows the limit; raise it, or take fewer devices")
	}
	return nil
}

func (a *app) swarm(ctx context.Context, opts swarmOptions) error {
	transports, err := opts.transports()
	if err == nil {
		err = opts.check()
	}
	if err != nil {
		return err
	}
	client, err := a.swarmClient(opts)
	if err != nil {
		return explainService(err)
	}
	s, err := swarm.Start(ctx, swarm.Config{
		Client: client, Name: swarmName(), Devices: opts.devices, PerCertificate: opts.perCertificate,
		Transports: transports, Rate: opts.rate, KeepAlive: opts.keepAlive, Log: a.log(),
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // Ctrl-C while the certificates were made
	case err != nil:
		return explainService(err)
	}
	last := a.watchSwarm(ctx, s)
	return errors.Join(verdict(last), a.removeSwarm(ctx, s))
}

func (a *app) swarmClient(opts swarmOptions) (*cloudapi.Client, error) {
	cfg := cloudapi.Config{
		BaseURL: opts.apiURL, Key: secret.New(opts.key), CAFile: opts.caFile, InsecureHTTP: opts.insecureHTTP, Log: a.log(),
	}
	if cfg.Key.Empty() {
		cfg.Key = secret.New(a.sys.Getenv(envKey))
	}
	if cfg.CAFile == "" {
		cfg.CAFile = a.sys.Getenv(envCAFile)
	}
	if cfg.Key.Empty() {
		return nil, usererr.Usage("there is no API key").WithHint("put it into the environment as %s", envKey)
	}
	return cloudapi.New(cfg)
}

// swarmName tells swarms apart, also those that were killed and left their
// certificates.
func swarmName() string {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	return "swarm-" + hex.EncodeToString(random)
}

// watchSwarm runs the swarm until ctx ends and all devices are gone; it tells
// how that goes, and returns what there was before the end.
func (a *app) watchSwarm(ctx context.Context, s *swarm.Swarm) swarm.Status {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	start := time.Now()
	ticker := time.NewTicker(swarmReport / 10)
	defer ticker.Stop()
	var teller swarmTeller
	for {
		select {
		case <-ctx.Done():
			last := s.Status()
			fmt.Fprintln(a.sys.Err, "Ending: the devices de-register.")
			<-ended
			return last
		case <-ticker.C:
			if line := teller.next(s.Status(), time.Since(start)); line != "" {
				fmt.Fprintln(a.sys.Out, line)
			}
		}
	}
}

// verdict is whether every device that had time to join was registered at the
// end. Those that were still joining are nobody's failure.
func verdict(last swarm.Status) error {
	missing := last.Tried - last.Up()
	if missing <= 0 {
		return nil
	}
	told := usererr.New(usererr.ExitSomeFailed, "%d of %d devices were not registered at the end", missing, last.Devices)
	if last.Trouble != "" {
		told = told.WithHint("the latest trouble: %s", last.Trouble)
	}
	return told
}

func (a *app) removeSwarm(ctx context.Context, s *swarm.Swarm) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalLimit)
	defer cancel()
	if err := s.Remove(ctx); err != nil {
		return usererr.Failure("the swarm is ended, but not removed from the service: %w", err).
			WithHint("`mbl-cli list-certificates` shows what is left; `mbl-cli delete-certificate` deletes it")
	}
	return nil
}
