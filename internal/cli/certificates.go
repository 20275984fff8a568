package cli

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/pki"
)

const (
	kindOneDevice = "device" // certificate of one device alone

	devicesPerCertificate = 100 // that the service allows
	countsAtOnce          = 4
)

// certificateRow is one certificate as list-certificates shows it, joined
// from what the service and the team store know of it.
type certificateRow struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`                  // developer, update; device for one device's own; bootstrap or lwm2m for other CAs in the service
	ID          string     `json:"id,omitempty"`          // in the service
	Service     bool       `json:"service"`               // the service has it
	TeamStore   bool       `json:"team_store"`            // the team store has it
	PrivateKey  bool       `json:"private_key,omitempty"` // of an update authority: this user can sign
	Status      string     `json:"status,omitempty"`      // in the service
	Expires     *time.Time `json:"expires"`               // null if it could not be read
	Expiry      string     `json:"expiry,omitempty"`      // valid, ends_soon (within 90 days), ended
	Devices     *int       `json:"devices,omitempty"`     // that came with a developer certificate, as far as the service says
	DeviceLimit int        `json:"device_limit,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"` // SHA-256 of the certificate, hex
	Problem     string     `json:"problem,omitempty"`

	// Only of the certificate of one device.
	EndpointName string `json:"endpoint_name,omitempty"`
	DeveloperID  string `json:"developer_certificate_id,omitempty"` // of the developer certificate above it
}

func (r certificateRow) key() string { return r.Kind + "\x00" + r.Name }

// setCertificate fills in what stands in the certificate itself.
func (r *certificateRow) setCertificate(der []byte) {
	cert, err := pki.ParseCertificate(der)
	if err != nil {
		r.Problem = err.Error()
		return
	}
	fingerprint := pki.Fingerprint(der)
	expires := cert.NotAfter.UTC()
	r.Fingerprint, r.Expires, r.Expiry = hex.EncodeToString(fingerprint[:]), &expires, expiryState(expires, time.Now())
}

// serviceCertificates are the certificates the service has.
func serviceCertificates(ctx context.Context, client *cloudapi.Client) ([]certificateRow, error) {
	var rows []certificateRow
	for cert, err := range client.TrustedCertificates(ctx, nil) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, serviceRow(cert))
	}
	return rows, nil
}

// countCertificateDevices fills in how many of its devices each developer
// certificate has. Where the service does not tell, it stays unknown.
func countCertificateDevices(ctx context.Context, client *cloudapi.Client, rows []certificateRow) error {
	var group errgroup.Group
	group.SetLimit(countsAtOnce)
	errs := make([]error, len(rows))
	for i := range rows {
		if rows[i].Kind != string(credstore.KindDeveloper) {
			continue
		}
		group.Go(func() error {
			number, err := client.CountDevices(ctx, cloudapi.DevicesOf(rows[i].ID))
			if err != nil {
				errs[i] = err
				return nil // the others are still worth knowing
			}
			rows[i].Devices, rows[i].DeviceLimit = &number, devicesPerCertificate
			return nil
		})
	}
	return errors.Join(group.Wait(), errors.Join(errs...))
}

func serviceRow(cert cloudapi.TrustedCertificate) certificateRow {
	row := certificateRow{Name: cert.Name, Kind: cert.Service, ID: cert.ID, Service: true, Status: cert.Status}
	switch {
	case cert.Developer():
		row.Kind = string(credstore.KindDeveloper)
	case cert.OfOneDevice():
		row.Kind, row.EndpointName, row.DeveloperID = kindOneDevice, cert.EndpointName, cert.DeveloperCertificateID
	}
	der, err := pki.DecodeCertificatePEM([]byte(cert.Certificate))
	if err != nil {
		row.Problem = err.Error()
		return row
	}
	row.setCertificate(der)
	return row
}

// storeCertificates are the certificates the team store has.
func storeCertificates(stores *credstore.Stores) ([]certificateRow, error) {
	entries, err := stores.List()
	if err != nil {
		return nil, err
	}
	var rows []certificateRow
	for _, entry := range entries {
		rows = append(rows, entryRows(stores, entry)...)
	}
	return rows, nil
}

func entryRows(stores *credstore.Stores, entry credstore.Entry) []certificateRow {
	var rows []certificateRow
	if entry.Developer != nil {
		row := certificateRow{Name: entry.Name, Kind: string(credstore.KindDeveloper), TeamStore: true}
		row.setCertificate(entry.Developer.DeviceCertificate)
		rows = append(rows, row)
	}
	if entry.Update != nil {
		row := certificateRow{Name: entry.Name, Kind: string(credstore.KindUpdate), TeamStore: true}
		row.setCertificate(entry.Update.Certificate)
		row.PrivateKey = stores.User.HasUpdateKey(entry.Name)
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		rows = []certificateRow{{Name: entry.Name, Kind: "unknown", TeamStore: true}}
	}
	if problem := entryProblem(entry); problem != "" {
		rows[0].Problem = problem
	}
	return rows
}

func entryProblem(entry credstore.Entry) string {
	switch {
	case entry.Problem != nil:
		return oneLine(entry.Problem.Error())
	case entry.Changed:
		return "changed since its first use"
	default:
		return ""
	}
}

// joinCertificates makes one row of what both sides know of a certificate,
// and sorts by name.
func joinCertificates(service, store []certificateRow) []certificateRow {
	rows := slices.Clone(service)
	for _, row := range store {
		i := slices.IndexFunc(rows, func(other certificateRow) bool { return other.key() == row.key() })
		if i < 0 {
			rows = append(rows, row)
			continue
		}
		rows[i].TeamStore = true
		rows[i].Problem = cmp.Or(rows[i].Problem, row.Problem, disagreement(rows[i], row))
	}
	slices.SortStableFunc(rows, func(a, b certificateRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return rows
}

func disagreement(service, store certificateRow) string {
	if service.Fingerprint == store.Fingerprint {
		return ""
	}
	return "the team store has another certificate of this name"
}
