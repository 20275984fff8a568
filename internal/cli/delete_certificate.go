package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/usererr"
)

const deleteCertificateExamples = `  mbl-cli delete-certificate my-devices
  mbl-cli delete-certificate my-devices --yes
  mbl-cli delete-certificate my-devices --dry-run
  mbl-cli delete-certificate my-devices --local`

const deleteCertificateLong = `Delete a developer certificate from the service and from the team store.

Devices that were provisioned with it cannot be bootstrapped again; mbl-cloud
cuts them off at once. Those with a certificate of their own under it are cut
off, too. NAME may be one device's own certificate (list-certificates,
device show): then that device alone is cut off. Other certificates are never
deleted by this command.`

type deleteCertificateOptions struct{ yes, local, dryRun bool }

func newDeleteCertificateCommand(a *app) *cobra.Command {
	var opts deleteCertificateOptions
	cmd := &cobra.Command{
		Use:               "delete-certificate NAME",
		Short:             "Delete a developer certificate",
		Long:              deleteCertificateLong,
		Example:           deleteCertificateExamples,
		Args:              takes("NAME"),
		ValidArgsFunction: a.completeDeveloperCertificates,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deleteCertificate(cmd.Context(), args[0], opts)
		},
	}
	cmd.Flags().BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&opts.local, "local", false, "only from the team store, the service is not asked")
	addDryRunFlag(cmd, &opts.dryRun)
	return cmd
}

// doomed is a developer certificate that is about to be deleted.
type doomed struct {
	name    string
	id      string   // in the service; empty if it is not there
	inStore bool     // in the team store
	devices []string // that came with it, as far as the service says

	ofOneDevice bool  // the certificate is one device's own
	untold      error // why the service does not say which devices; nil if it does
}

func (d doomed) what() string {
	if d.ofOneDevice {
		return "certificate of one device"
	}
	return "developer certificate"
}

func (d doomed) places() string {
	return places(certificateRow{Service: d.id != "", TeamStore: d.inStore})
}

func (a *app) deleteCertificate(ctx context.Context, name string, opts deleteCertificateOptions) error {
	if err := credstore.CheckName(name); err != nil {
		return err
	}
	stores, err := a.stores()
	if err != nil {
		return err
	}
	cert := doomed{name: name}
	if cert.inStore, err = developerInStore(stores, name); err != nil {
		return err
	}
	var client *cloudapi.Client
	if !opts.local {
		if client, err = a.service(ctx); err != nil {
			return err
		}
		if err := cert.findInService(ctx, client); err != nil {
			return err
		}
	}
	if cert.id == "" && !cert.inStore {
		return usererr.Failure("there is no developer certificate %q", name).WithHint("`mbl-cli list-certificates` shows what there is")
	}
	if opts.dryRun {
		a.tellDependents(cert)
		return a.printDeleted(cert, true)
	}
	if err := a.allowDeletion(ctx, cert, opts.yes); err != nil {
		return err
	}
	if err := destroy(ctx, cert, client, stores); err != nil {
		return err
	}
	return a.printDeleted(cert, false)
}

// developerInStore tells whether the team store has a developer certificate
// of that name and nothing else under it.
func developerInStore(stores *credstore.Stores, name string) (bool, error) {
	entries, err := stores.List()
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		switch {
		case entry.Name != name:
		case entry.Update != nil:
			return false, usererr.Failure("%q in the team store is an update certificate", name).
				WithHint("only developer certificates are deleted; devices in the field may need this one")
		default:
			return true, nil
		}
	}
	return false, nil
}

// findInService looks for the certificate among all of that name, so that
// one of another kind is not passed over in silence.
func (d *doomed) findInService(ctx context.Context, client *cloudapi.Client) error {
	other := false
	for cert, err := range client.TrustedCertificates(ctx, url.Values{"name__eq": {d.name}}) {
		switch {
		case err != nil:
			return err
		case cert.Name != d.name:
		case cert.Developer(), cert.OfOneDevice():
			d.id, d.ofOneDevice = cert.ID, cert.OfOneDevice()
		default:
			other = true
		}
	}
	if d.id == "" && other {
		return usererr.Failure("%q in the service is not a developer certificate", d.name).
			WithHint("only developer certificates are deleted")
	}
	if d.id == "" {
		return nil
	}
	err := d.findDevices(ctx, client, d.id)
	if err == nil {
		err = d.findDevicesBelow(ctx, client)
	}
	if errors.Is(err, cloudapi.ErrForbidden) || errors.Is(err, cloudapi.ErrNotFound) && !errors.Is(err, cloudapi.ErrNotService) {
		d.devices, d.untold = nil, err // it keeps no directory, or not for this key
		return nil
	}
	return err
}

// findDevicesBelow finds the devices with a certificate of their own under it.
func (d *doomed) findDevicesBelow(ctx context.Context, client *cloudapi.Client) error {
	for cert, err := range client.TrustedCertificates(ctx, nil) {
		if err != nil {
			return err
		}
		if cert.DeveloperCertificateID != d.id {
			continue
		}
		if err := d.findDevices(ctx, client, cert.ID); err != nil {
			return err
		}
	}
	return nil
}

func (d *doomed) findDevices(ctx context.Context, client *cloudapi.Client, certificateID string) error {
	for device, err := range client.Devices(ctx, cloudapi.DevicesOf(certificateID)) {
		if err != nil {
			return fmt.Errorf("cannot tell which devices depend on %q: %w", d.name, err)
		}
		if device.CAID == certificateID {
			d.devices = append(d.devices, deviceLabel(device))
		}
	}
	return nil
}

// allowDeletion asks, unless --yes was given.
func (a *app) allowDeletion(ctx context.Context, cert doomed, yes bool) error {
	a.tellDependents(cert)
	if yes {
		return nil
	}
	if !a.interactive() {
		return usererr.Usage("deleting %q needs --yes where nobody can be asked", cert.name)
	}
	sure, err := a.confirm(ctx, fmt.Sprintf("Delete the %s %s (%s)?", cert.what(), cert.name, cert.places()))
	if err != nil {
		return err
	}
	if !sure {
		return usererr.Failure("nothing was deleted")
	}
	return nil
}

// tellDependents names the devices whose certificate is deleted, also with -q:
// it is what the decision hangs on.
func (a *app) tellDependents(cert doomed) {
	if cert.untold != nil {
		a.warn("%v", cert.untold)
	}
	if len(cert.devices) > 0 {
		fmt.Fprintln(a.sys.Err, oneLine(fmt.Sprintf("%s came with it and could not be bootstrapped again: %s",
			counted(len(cert.devices), "device"), someOf(cert.devices))))
	}
}

// destroy deletes in the service first: what is left in the team store after a
// failure still shows what has to be done.
func destroy(ctx context.Context, cert doomed, client *cloudapi.Client, stores *credstore.Stores) error {
	if cert.inStore {
		if err := stores.CheckWritable(ctx, 0); err != nil {
			return err
		}
	}
	if cert.id != "" {
		if err := client.DeleteTrustedCertificate(ctx, cert.id); err != nil && !errors.Is(err, cloudapi.ErrNotFound) {
			return err
		}
	}
	if cert.inStore {
		err := stores.Delete(ctx, cert.name)
		if err != nil && cert.id != "" {
			return fmt.Errorf("the service has deleted it, but: %w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deletedCertificate is what delete-certificate prints.
type deletedCertificate struct {
	Name      string   `json:"name"`
	Service   bool     `json:"service"`
	TeamStore bool     `json:"team_store"`
	Devices   []string `json:"devices"` // null: the service does not tell
	DryRun    bool     `json:"dry_run"`
}

func (a *app) printDeleted(cert doomed, dryRun bool) error {
	deleted := deletedCertificate{cert.name, cert.id != "", cert.inStore, nil, dryRun}
	if cert.untold == nil {
		deleted.Devices = append([]string{}, cert.devices...)
	}
	return a.print(deleted, func(w io.Writer) {
		fmt.Fprintf(w, "%s the %s %s (%s).\n", didOrWould(dryRun, "Deleted", "Would delete"), cert.what(), cert.name, cert.places())
	})
}

// someOf names the first few.
func someOf(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
