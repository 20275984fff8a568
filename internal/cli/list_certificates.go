package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
)

const listCertificatesExamples = `  mbl-cli list-certificates
  mbl-cli list-certificates --local
  mbl-cli -o json list-certificates`

const listCertificatesLong = `List the certificates of the service and of the team store.

An exclamation mark stands behind the end of those that end within 90 days or
have ended. DEVICES are those that came with a developer certificate, of the
100 that one is good for.

Those of kind device belong to one device each (provision-pelion --per-device);
the remark names it.

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
	completeFlag(cmd, "accept-changed", a.completeAnyCertificate)
	return cmd
}

func (a *app) listCertificates(ctx context.Context, opts listCertificatesOptions) error {
	stores, err := a.stores()
	if err != nil {
		return err
	}
	if opts.accept != "" {
		if err := credstore.CheckName(opts.accept); err != nil {
			return err
		}
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
	return a.print(certificateList{append([]certificateRow{}, rows...)}, func(w io.Writer) { writeCertificates(w, rows) })
}

type certificateList struct {
	Certificates []certificateRow `json:"certificates"`
}

// certificatesInService are the service's certificates; none without an API
// key, which is said.
func (a *app) certificatesInService(ctx context.Context, local bool) ([]certificateRow, error) {
	if local {
		return nil, nil
	}
	client, err := a.service(ctx)
	if errors.Is(err, errNoKey) {
		a.progress("%v, so this is the team store alone.", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := serviceCertificates(ctx, client)
	if err != nil {
		return nil, err
	}
	if err := countCertificateDevices(ctx, client, rows); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.progress("Not every certificate's devices could be counted; -v says why.")
		a.log().WarnContext(ctx, "cannot count devices", "error", err)
	}
	return rows, nil
}

func writeCertificates(w io.Writer, rows []certificateRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No certificates.")
		return
	}
	// Without remarks the list fits into 80 columns.
	remarks := slices.ContainsFunc(rows, func(row certificateRow) bool { return remark(row) != "" })
	last := func(certificateRow) string { return "" }
	header := "NAME\tKIND\tIN\tEXPIRES\tDEVICES\tFINGERPRINT"
	if remarks {
		header += "\tREMARK"
		last = func(row certificateRow) string { return "\t" + remark(row) }
	}
	fmt.Fprintln(w, header)
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s%s\n",
			oneLine(row.Name), oneLine(row.Kind), places(row), expiry(row), devicesUsed(row), shortFingerprint(row), last(row))
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
	text := row.Expires.Format(time.DateOnly)
	if row.Expiry != expiryValid {
		text += " !"
	}
	return text
}

func devicesUsed(row certificateRow) string {
	if row.Devices == nil {
		return "-"
	}
	return fmt.Sprintf("%d of %d", *row.Devices, row.DeviceLimit)
}

// shortFingerprint is enough to tell certificates apart; JSON has the whole.
func shortFingerprint(row certificateRow) string {
	if len(row.Fingerprint) < 16 {
		return "-"
	}
	return row.Fingerprint[:16]
}

func remark(row certificateRow) string {
	var remarks []string
	if row.Problem != "" {
		remarks = append(remarks, oneLine(row.Problem))
	}
	if row.Expires != nil && row.Expiry != expiryValid {
		remarks = append(remarks, ending(*row.Expires, time.Now()))
	}
	if row.Kind == kindOneDevice {
		remarks = append(remarks, "of "+oneLine(row.EndpointName))
	}
	if row.Service && row.Status != "" && row.Status != "ACTIVE" {
		remarks = append(remarks, oneLine(strings.ToLower(row.Status)))
	}
	if row.Kind == string(credstore.KindUpdate) && !row.PrivateKey {
		remarks = append(remarks, "private key not here")
	}
	return strings.Join(remarks, "; ")
}
