package cloudapp

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

func newCACommand(a *app) *cobra.Command {
	parent := &cobra.Command{Use: "ca", Short: "The certificate authority of HTTPS"}
	parent.AddCommand(&cobra.Command{
		Use:   "export",
		Short: "Print the certificate of the authority that the service's HTTPS certificate comes from",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.exportCA(cmd.Context()) },
	})
	return parent
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
