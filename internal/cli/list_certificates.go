package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
)

const listCertificatesExamples = `  mbl-cli list-certificates
  mbl-cli list-certificates --local
  mbl-cli -o json list-certificates`

const listCertificatesLong = `List the certificates of the service and of the team store.

--accept-changed takes a certificate that somebody else has changed in the team
store as it is now; without that it is not used.`

type listCertificatesOptions struct {
	local  bool
	accept string
}

func newListCertificatesCommand(a *app) *cobra.Command {
	var opts listCertificatesOptions
	cmd := &cobra.Command{
		Use:     "list-certificates",
		Short:   "List the certificates of the service and the team store",
		Long:    listCertificatesLong,
		Example: listCertificatesExamples,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.listCertificates(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.local, "local", false, "only the team store, the service is not asked")
	cmd.Flags().StringVar(&opts.accept, "accept-changed", "", "trust the changed certificate `NAME` of the team store")
	return cmd
}

func (a *app) listCertificates(ctx context.Context, opts listCertificatesOptions) error {
	stores, err := a.stores()
	if err != nil {
		return err
	}
	if opts.accept != "" {
		if err := stores.AcceptChange(ctx, opts.accept); err != nil {
			return err
		}
	}
	inStore, err := storeCertificates(stores)
	if err != nil {
		return err
	}
	inService, err := a.certificatesInService(ctx, opts.local)
	if err != nil {
		return err
	}
	rows := joinCertificates(inService, inStore)
	return a.print(struct {
		Certificates []certificateRow `json:"certificates"`
	}{append([]certificateRow{}, rows...)}, func(w io.Writer) { writeCertificates(w, rows) })
}

// certificatesInService are the service's certificates; none without an API
// key, which is said.
func (a *app) certificatesInService(ctx context.Context, local bool) ([]certificateRow, error) {
	if local {
		return nil, nil
	}
	client, err := a.service(ctx)
	if errors.Is(err, errNoKey) {
		a.progress("No API key is saved, so this is the team store alone.")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return serviceCertificates(ctx, client)
}

func writeCertificates(w io.Writer, rows []certificateRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No certificates.")
		return
	}
	fmt.Fprintln(w, "NAME\tKIND\tIN\tEXPIRES\tFINGERPRINT\tREMARK")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n",
			oneLine(row.Name), row.Kind, places(row), expiry(row), shortFingerprint(row), remark(row))
	}
}

func places(row certificateRow) string {
	var in []string
	if row.Service {
		in = append(in, "service")
	}
	if row.TeamStore {
		in = append(in, "team store")
	}
	return strings.Join(in, ", ")
}

func expiry(row certificateRow) string {
	if row.Expires == nil {
		return "-"
	}
	return row.Expires.Format(time.DateOnly)
}

// shortFingerprint is enough to tell certificates apart; JSON has the whole.
func shortFingerprint(row certificateRow) string {
	if len(row.Fingerprint) < 16 {
		return "-"
	}
	return row.Fingerprint[:16]
}

func remark(row certificateRow) string {
	switch {
	case row.Problem != "":
		return row.Problem
	case row.Expires != nil && time.Now().After(*row.Expires):
		return "expired"
	case row.Service && row.Status != "" && row.Status != "ACTIVE":
		return strings.ToLower(row.Status)
	case row.Kind == string(credstore.KindUpdate) && !row.PrivateKey:
		return "private key not here"
	default:
		return ""
	}
}
