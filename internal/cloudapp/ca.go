package cloudapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

const caLong = `The service's certificate authorities:

  devices     signs the certificates by which devices connect
  identities  signs the certificates by which single devices bootstrap
  bootstrap   signs the bootstrap server's certificate
  lwm2m       signs the LwM2M server's certificate
  https       signs the certificate of the REST API`

func newCACommand(a *app) *cobra.Command {
	parent := &cobra.Command{Use: "ca", Short: "The service's certificate authorities", Long: caLong}
	parent.AddCommand(&cobra.Command{
		Use:   "export",
		Short: "Print the certificate of the authority that the service's HTTPS certificate comes from",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.exportCA(cmd.Context()) },
	}, &cobra.Command{
		Use:   "list",
		Short: "List the authorities",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.listCAs(cmd.Context()) },
	}, newRotateCommand(a), newRetireCommand(a))
	return parent
}

const rotateLong = `Makes a new key and certificate for an authority. Stop the service first.

No device has to be touched. Devices are recognised by the certificates they
have, whatever signed them, so "devices" and "identities" are simply replaced.
Of "bootstrap" and "lwm2m" each device keeps one certificate, and trusts no
server with another. The earlier one is therefore kept, and serve goes on with it
at --bootstrap-earlier or --lwm2m-earlier, the address that devices know;
--bootstrap or --lwm2m must then be a new one, which new devices are given.
After "https" everybody who uses the API needs the new certificate (ca export).`

func newRotateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate NAME",
		Short: "Make a new key and certificate for an authority",
		Long:  rotateLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			return a.rotateCA(cmd.Context(), cloud.AuthorityName(arguments[0]))
		},
	}
}

func newRetireCommand(a *app) *cobra.Command {
	var abandon bool
	cmd := &cobra.Command{
		Use:   "retire bootstrap|lwm2m",
		Short: "Forget the earlier authority that rotate has kept",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			return a.retireCA(cmd.Context(), cloud.AuthorityName(arguments[0]), abandon)
		},
	}
	cmd.Flags().BoolVar(&abandon, "abandon-devices", false, "also if devices depend on it; they have to be provisioned again")
	return cmd
}

func (a *app) exportCA(ctx context.Context) error {
	return a.withService(ctx, func(service *cloud.Service) error {
		der, err := service.AuthorityCertificate(ctx, cloud.HTTPSAuthority)
		if errors.Is(err, cloud.ErrNotFound) {
			return failure("the service in %s was never started", a.data)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(a.sys.Out, pki.CertificatePEM(der))
		return err
	})
}

func (a *app) listCAs(ctx context.Context) error {
	return a.withService(ctx, func(service *cloud.Service) error {
		states, err := service.AuthorityStates(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(a.sys.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tMADE\tSHA-256\tDEVICES")
		for _, state := range states {
			devices := "-"
			if state.Name == cloud.EarlierLwM2MAuthority {
				devices = fmt.Sprint(state.Devices)
			}
			fmt.Fprintf(table, "%s\t%s\t%x\t%s\n", state.Name, state.CreatedAt.Format(time.DateOnly), pki.Fingerprint(state.Certificate), devices)
		}
		return table.Flush()
	})
}

func (a *app) rotateCA(ctx context.Context, name cloud.AuthorityName) error {
	err := a.withStoppedService(ctx, func(service *cloud.Service) error { return service.RotateAuthority(ctx, name) })
	switch {
	case errors.Is(err, cloud.ErrNotFound):
		return failure("there is no certificate authority %q", name).WithHint("`mbl-cloud ca list` shows them")
	case errors.Is(err, cloud.ErrConflict):
		return failure("cannot rotate %s: %w", name, err).
			WithHint("`mbl-cloud ca retire %s` forgets it, once no device needs it", name)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(a.sys.Err, "%s is rotated. %s\n", name, whatNext(name))
	return err
}

// whatNext says what a rotation leaves to be done.
func whatNext(name cloud.AuthorityName) string {
	switch {
	case name == cloud.HTTPSAuthority:
		return "Give everybody who uses the API the new certificate: mbl-cloud ca export"
	case name.Earlier() != "":
		return fmt.Sprintf("Start the service with --%s-earlier set to the address that --%s had, and --%s set to a new one: "+
			"devices provisioned or bootstrapped from then on are given that", name, name, name)
	default:
		return "There is nothing else to do"
	}
}

func (a *app) retireCA(ctx context.Context, name cloud.AuthorityName, abandon bool) error {
	err := a.withStoppedService(ctx, func(service *cloud.Service) error { return service.RetireAuthority(ctx, name, abandon) })
	switch {
	case errors.Is(err, cloud.ErrNotFound):
		return failure("there is no earlier %q authority", name).WithHint("`mbl-cloud ca list` shows what there is")
	case errors.Is(err, cloud.ErrConflict):
		return failure("cannot retire it: %w", err).
			WithHint("they change over when they bootstrap again; --abandon-devices leaves them behind")
	}
	return err
}

// withStoppedService runs work with a service that can issue, and that nobody
// serves meanwhile: a running one would not notice what changes.
func (a *app) withStoppedService(ctx context.Context, work func(*cloud.Service) error) (err error) {
	data, err := usedFolder(a.data)
	if err != nil {
		return err
	}
	unlock, err := data.lockFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	sealKey, err := data.openSealKey()
	if err != nil {
		return err
	}
	opened, err := data.openStore(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	err = work(cloud.New(cloud.Config{Store: opened, SealKey: sealKey, Now: time.Now, Log: slog.New(slog.DiscardHandler)}))
	if errors.Is(err, cloud.ErrSealKey) {
		return damagedSealKey(data)
	}
	return err
}
