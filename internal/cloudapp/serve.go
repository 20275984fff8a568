package cloudapp

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/usererr"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	http, https, bootstrap, lwm2m, download string // addresses to listen on; empty: not served
	httpsCert, httpsKey                     string // files
	host                                    string // empty: as before
	config                                  string
	limits                                  cloud.Limits
	connect                                 connect.Limits
}

const serveLong = `Serves everything in one process: the REST API (--http, --https), the two servers
that devices connect to (--bootstrap, --lwm2m), and downloads (--download). An
empty address switches a server off (--download ""), port 0 takes a free port.

The first start makes the certificate authorities, the account and an
administrator API key, which is printed once. The addresses in use are written
to run.json in the data folder once the service is ready.`

func newServeCommand(a *app) *cobra.Command {
	options := serveOptions{limits: cloud.DefaultLimits(), connect: connect.DefaultLimits()}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve until SIGTERM or Ctrl-C",
		Long:  serveLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.config != "" {
				if err := readConfig(options.config, cmd.Flags()); err != nil {
					return err
				}
			}
			if err := options.check(); err != nil {
				return err
			}
			return a.serve(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.http, "http", "127.0.0.1:8080", "address of the REST API, without encryption")
	flags.StringVar(&options.https, "https", "", "address of the REST API, with encryption")
	flags.StringVar(&options.httpsCert, "https-cert", "", "PEM file with the certificate for --https, in place of one of the service's own authority")
	flags.StringVar(&options.httpsKey, "https-key", "", "PEM file with its private key")
	flags.StringVar(&options.bootstrap, "bootstrap", ":5684", "address of the bootstrap server")
	flags.StringVar(&options.lwm2m, "lwm2m", ":5685", "address of the LwM2M server")
	flags.StringVar(&options.download, "download", ":8081", "address of downloads")
	flags.StringVar(&options.host, "host", "", "name or address by which devices reach the service (kept; at first "+defaultHost+")")
	flags.StringVar(&options.config, "config", "", "YAML file with settings, named as these flags")
	flags.IntVar(&options.limits.DevicesPerCertificate, "devices-per-certificate", options.limits.DevicesPerCertificate, "devices for one developer certificate; 0: no limit")
	flags.IntVar(&options.limits.CertificatesPerAccount, "certificates", options.limits.CertificatesPerAccount, "trusted certificates in the account; 0: no limit")
	flags.IntVar(&options.connect.QueuedRequests, "device-queue", options.connect.QueuedRequests, "requests that may wait for one device")
	flags.IntVar(&options.connect.ChannelBytes, "channel-bytes", options.connect.ChannelBytes, "bytes that may wait in one notification channel")
	return cmd
}

func (o serveOptions) check() error {
	if (o.httpsCert == "") != (o.httpsKey == "") {
		return usererr.Usage("--https-cert and --https-key belong together")
	}
	if o.limits.DevicesPerCertificate < 0 || o.limits.CertificatesPerAccount < 0 {
		return usererr.Usage("a limit is a positive number, or 0 for none")
	}
	if o.connect.QueuedRequests < 1 || o.connect.ChannelBytes < 1 {
		return usererr.Usage("--device-queue and --channel-bytes are at least 1")
	}
	return checkHost(o.host)
}

func (a *app) serve(ctx context.Context, options serveOptions) (err error) {
	data, err := makeFolder(a.data)
	if err != nil {
		return err
	}
	unlock, err := data.lockFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := data.removeRun(); err != nil {
		return err
	}
	hosts, err := data.rememberHosts(options.host)
	if err != nil {
		return err
	}
	sealKey, err := data.openSealKey()
	if err != nil {
		return err
	}
	memory, err := data.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, memory.Close()) }()
	service := cloud.New(cloud.Config{
		Store: memory, SealKey: sealKey, Limits: options.limits, Now: time.Now, Log: a.logger(),
	})
	return a.serveFrom(ctx, data, options, &servers{
		service: service, metrics: newMetrics(), log: a.logger(), hosts: hosts,
		sessions: data.openSessions(sealKey, a.logger()),
	})
}

// serveFrom prepares the service, opens its servers and keeps them until ctx
// ends or one of them fails.
func (a *app) serveFrom(ctx context.Context, data folder, options serveOptions, servers *servers) error {
	defer servers.close()
	if err := servers.listenHTTP(ctx, options); err != nil {
		return err
	}
	if err := a.prepare(ctx, data, servers.service, servers); err != nil {
		return err
	}
	if err := servers.listenDevices(options); err != nil {
		return err
	}
	if err := servers.listenHTTPS(ctx, data, options); err != nil {
		return err
	}
	warnAboutHost(servers.log, options, servers.hosts)

	running, ctx := errgroup.WithContext(ctx)
	servers.serve(ctx, running)
	running.Go(func() error { return maintain(ctx, servers.service, servers.log) })
	running.Go(func() error { return servers.sessions.keep(ctx) })
	if err := data.writeRun(servers.addresses()); err != nil {
		servers.close()
		running.Go(func() error { return err }) // ends the others
		return running.Wait()
	}
	servers.log.Info("serving", "data", data.path, "on", servers.addresses())
	<-ctx.Done()
	err := data.removeRun()
	servers.shutdown()
	return errors.Join(err, running.Wait())
}
