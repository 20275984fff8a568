package cloudapp

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/usererr"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	http, https, bootstrap, lwm2m, download string // addresses to listen on; empty: not served
	bootstrapEarlier, lwm2mEarlier          string // likewise, with the authorities there were before a rotation
	httpsCert, httpsKey                     string // files
	acme                                    acmeOptions
	host                                    string // empty: as before
	config                                  string
	limits                                  cloud.Limits
	connect                                 connect.Limits
	ports                                   portLimits
	privateCallbacks                        bool
}

const serveLong = `Serves everything in one process: the REST API (--http, --https), the two servers
that devices connect to (--bootstrap, --lwm2m), and downloads (--download). An
empty address switches a server off (--download ""), port 0 takes a free port.

The first start makes the certificate authorities, the account and an
administrator API key, which is printed once. The addresses in use are written
to run.json in the data folder once the service is ready.`

func newServeCommand(a *app) *cobra.Command {
	options := serveOptions{limits: cloud.DefaultLimits(), connect: connect.DefaultLimits(), ports: defaultPortLimits()}
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
	flags.StringVar(&options.http, "http", "127.0.0.1:8080", "`ADDRESS` of the REST API, without encryption")
	flags.StringVar(&options.https, "https", "", "`ADDRESS` of the REST API, with encryption")
	flags.StringVar(&options.httpsCert, "https-cert", "", "PEM `FILE` with the certificate for --https, in place of one by the service's own authority")
	flags.StringVar(&options.httpsKey, "https-key", "", "PEM `FILE` with its private key")
	flags.StringSliceVar(&options.acme.hosts, "acme", nil, "host `NAMES` whose certificate for --https an ACME authority signs; it accepts the authority's terms of service")
	flags.StringVar(&options.acme.directory, "acme-directory", autocert.DefaultACMEDirectory, "`URL` of the ACME authority")
	flags.StringVar(&options.acme.caFile, "acme-ca-file", "", "PEM `FILE` with the CA of the ACME authority's own HTTPS, if that is a private one")
	flags.StringVar(&options.acme.email, "acme-email", "", "e-mail `ADDRESS` that the ACME authority may write to")
	flags.StringVar(&options.bootstrap, "bootstrap", ":5684", "`ADDRESS` of the bootstrap server")
	flags.StringVar(&options.lwm2m, "lwm2m", ":5685", "`ADDRESS` of the LwM2M server")
	flags.StringVar(&options.bootstrapEarlier, "bootstrap-earlier", "", "`ADDRESS` of the bootstrap server that devices from before 'ca rotate bootstrap' know")
	flags.StringVar(&options.lwm2mEarlier, "lwm2m-earlier", "", "`ADDRESS` of the LwM2M server that devices from before 'ca rotate lwm2m' know")
	flags.StringVar(&options.download, "download", ":8081", "`ADDRESS` of downloads")
	flags.StringVar(&options.host, "host", "", "`NAME` or address by which devices reach the service (kept; at first "+defaultHost+")")
	flags.StringVar(&options.config, "config", "", "YAML `FILE` with settings, named as these flags")
	flags.IntVar(&options.limits.DevicesPerCertificate, "devices-per-certificate", options.limits.DevicesPerCertificate, "devices for one developer certificate; 0: no limit")
	flags.IntVar(&options.limits.CertificatesPerAccount, "certificates", options.limits.CertificatesPerAccount, "trusted certificates in the account; 0: no limit")
	flags.IntVar(&options.connect.QueuedRequests, "device-queue", options.connect.QueuedRequests, "requests that may wait for one device")
	flags.BoolVar(&options.privateCallbacks, "private-callbacks", false, "let webhooks reach this machine and private networks")
	flags.IntVar(&options.connect.ChannelBytes, "channel-bytes", options.connect.ChannelBytes, "bytes that may wait in one notification channel")
	flags.IntVar(&options.connect.AllChannels, "all-channel-bytes", options.connect.AllChannels, "bytes that may wait in all notification channels together")
	options.ports.addFlags(flags)
	return cmd
}

func (o serveOptions) check() error {
	if (o.httpsCert == "") != (o.httpsKey == "") {
		return usererr.Usage("--https-cert and --https-key belong together")
	}
	if len(o.acme.hosts) > 0 && (o.https == "" || o.httpsCert != "") {
		return usererr.Usage("--acme needs --https, and cannot be used with --https-cert")
	}
	if err := o.acme.check(); err != nil {
		return err
	}
	if o.limits.DevicesPerCertificate < 0 || o.limits.CertificatesPerAccount < 0 {
		return usererr.Usage("a limit is a positive number, or 0 for none")
	}
	if o.connect.QueuedRequests < 1 || o.connect.ChannelBytes < 1 || o.connect.AllChannels < 1 {
		return usererr.Usage("--device-queue, --channel-bytes and --all-channel-bytes are at least 1")
	}
	if err := o.ports.check(); err != nil {
		return err
	}
	if err := o.checkAddresses(); err != nil {
		return err
	}
	return checkHost(o.host)
}

// checkAddresses finds what is no address before a data folder is made.
func (o serveOptions) checkAddresses() error {
	for _, each := range []struct{ flag, address string }{
		{"--http", o.http},
		{"--https", o.https},
		{"--bootstrap", o.bootstrap},
		{"--lwm2m", o.lwm2m},
		{"--download", o.download},
		{"--bootstrap-earlier", o.bootstrapEarlier},
		{"--lwm2m-earlier", o.lwm2mEarlier},
	} {
		if _, _, err := net.SplitHostPort(each.address); each.address != "" && err != nil {
			return usererr.Usage("%s is %q, and not an address with a port, such as 127.0.0.1:8080 or :8080", each.flag, each.address)
		}
	}
	return nil
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
		service: service, metrics: newMetrics(), log: a.logger(), hosts: hosts, limits: options.ports,
		sessions: data.openSessions(sealKey, a.logger()),
	})
}

// serveFrom prepares the service, opens its servers and keeps them until ctx
// ends or one of them fails.
func (a *app) serveFrom(ctx context.Context, data folder, options serveOptions, servers *servers) (err error) {
	defer servers.close()
	defer runtime.KeepAlive(newHeapFloor())
	if err := servers.listenHTTP(ctx, options); err != nil {
		return err
	}
	if err := a.prepare(ctx, data, servers.service, servers); err != nil {
		return err
	}
	if err := servers.listenHTTPS(ctx, data, options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.saveWaiting(context.WithoutCancel(ctx))) }()
	// Last, since an original device that is accepted and closed throws its
	// credentials away.
	if err := servers.listenDevices(ctx, options); err != nil {
		return err
	}
	warnAboutHost(servers.log, options, servers.hosts)

	running, ctx := errgroup.WithContext(ctx)
	servers.serve(ctx, running)
	running.Go(func() error { return maintain(ctx, servers.service, servers.log) })
	running.Go(func() error { return servers.sessions.keep(ctx) })
	running.Go(func() error { return tidy(ctx) })
	if err := data.writeRun(servers.addresses()); err != nil {
		servers.close()
		running.Go(func() error { return err }) // ends the others
		return running.Wait()
	}
	servers.log.Info("serving", "data", data.path, "on", servers.addresses())
	<-ctx.Done()
	removed := data.removeRun()
	servers.shutdown()
	return errors.Join(removed, running.Wait())
}
