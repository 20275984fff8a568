package cli

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"mbl/internal/credential"
	"mbl/internal/pki"
	"mbl/internal/provision"
	"mbl/internal/usererr"
)

const createUpdateCertificateExamples = `  mbl-cli create-update-certificate my-updates --domain example.com --model my-board
  mbl-cli create-update-certificate my-updates --domain example.com --model my-board --dry-run
  mbl-cli create-update-certificate short --domain example.com --model my-board --validity 365d`

const createUpdateCertificateLong = `Make an update authority: devices accept the firmware it signs.

The private key stays in your user store. The team store gets what devices
need: the certificate, its fingerprint, and the vendor and class ids made from
domain and model. An authority that exists is never replaced.`

const day = 24 * time.Hour

type updateAuthorityOptions struct {
	domain, model, validity string
	dryRun                  bool
}

// createdUpdate is what create-update-certificate prints.
type createdUpdate struct {
	Name        string    `json:"name"`
	VendorID    string    `json:"vendor_id"`
	ClassID     string    `json:"class_id"`
	Fingerprint string    `json:"fingerprint,omitempty"` // SHA-256, hex; not of a dry run
	Expires     time.Time `json:"expires"`
	TeamStore   string    `json:"team_store"`
	KeyFile     string    `json:"private_key_file"`
	DryRun      bool      `json:"dry_run"`
}

func newCreateUpdateCertificateCommand(a *app) *cobra.Command {
	var opts updateAuthorityOptions
	cmd := &cobra.Command{
		Use:     "create-update-certificate NAME --domain DOMAIN --model MODEL",
		Short:   "Make an update-authority key and certificate",
		Long:    createUpdateCertificateLong,
		Example: createUpdateCertificateExamples,
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.createUpdateCertificate(cmd.Context(), args[0], opts)
		},
	}
	cmd.Flags().StringVar(&opts.domain, "domain", "", "`DOMAIN` of the devices' maker, such as example.com")
	cmd.Flags().StringVar(&opts.model, "model", "", "`MODEL` of the devices")
	cmd.Flags().StringVar(&opts.validity, "validity", "20y", "how long the certificate is valid: `PERIOD` in days (90d) or years (20y)")
	addDryRunFlag(cmd, &opts.dryRun)
	return cmd
}

func (a *app) createUpdateCertificate(ctx context.Context, name string, opts updateAuthorityOptions) error {
	if err := provision.CheckUpdateName(name); err != nil {
		return err
	}
	key, update, expires, err := newUpdateAuthority(opts, time.Now())
	if err != nil {
		return err
	}
	stores, err := a.stores()
	if err != nil {
		return err
	}
	if opts.dryRun {
		err, update.Fingerprint = stores.CheckFreeAuthority(name), nil // the key made now is thrown away
	} else {
		err = stores.SaveUpdateAuthority(ctx, name, update, key)
	}
	if err != nil {
		return err
	}
	made := createdUpdate{
		Name:        name,
		VendorID:    uuid.UUID(update.VendorID).String(),
		ClassID:     uuid.UUID(update.ClassID).String(),
		Fingerprint: hex.EncodeToString(update.Fingerprint),
		Expires:     expires,
		TeamStore:   filepath.Join(stores.Team.Path(), name),
		KeyFile:     stores.User.UpdateKeyFile(name),
		DryRun:      opts.dryRun,
	}
	return a.print(made, func(w io.Writer) {
		fmt.Fprintf(w, "%s the update certificate %s.\n", didOrWould(made.DryRun, "Created", "Would create"), made.Name)
		fmt.Fprintf(w, "  vendor id\t%s\n", made.VendorID)
		fmt.Fprintf(w, "  class id\t%s\n", made.ClassID)
		if !made.DryRun {
			fmt.Fprintf(w, "  fingerprint\t%s\n", made.Fingerprint)
		}
		fmt.Fprintf(w, "  expires\t%s\n", made.Expires.Format(time.DateOnly))
		fmt.Fprintf(w, "  certificate\t%s\n", made.TeamStore)
		fmt.Fprintf(w, "  private key\t%s (keep a copy in a safe place)\n", made.KeyFile)
	})
}

func newUpdateAuthority(opts updateAuthorityOptions, now time.Time) (*ecdsa.PrivateKey, *credential.Update, time.Time, error) {
	validFor, err := parseValidity(opts.validity)
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	if err := opts.check(); err != nil {
		return nil, nil, time.Time{}, err
	}
	if now.Before(earliestNow()) {
		return nil, nil, time.Time{}, usererr.Failure("this machine's clock says %s; the certificate would end too early", now.UTC().Format(time.DateOnly)).
			WithHint("set the clock, and run the command again")
	}
	vendor, err := credential.VendorID(opts.domain)
	if err != nil {
		return nil, nil, time.Time{}, usererr.Usage("--domain: %w", err)
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	der, err := pki.SelfSignUpdateAuthority(key, opts.domain, now, validFor)
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	fingerprint := pki.Fingerprint(der)
	update := &credential.Update{
		VendorID:             vendor,
		ClassID:              credential.ClassID(vendor, opts.model),
		Certificate:          der,
		Fingerprint:          fingerprint[:],
		SubjectKeyIdentifier: pki.SubjectKeyID(&key.PublicKey),
	}
	return key, update, now.Add(validFor).UTC().Truncate(time.Second), update.Check()
}

// earliestNow is when this program was written: a clock before that is wrong.
func earliestNow() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

const (
	maxDomain = 64  // bytes of a common name (RFC 5280, appendix A.1)
	maxModel  = 255 // bytes
)

// check refuses what nobody could type a second time: the ids are made from
// domain and model.
func (o updateAuthorityOptions) check() error {
	switch {
	case o.domain == "" && o.model == "":
		return usererr.Usage("--domain and --model are missing")
	case len(o.domain) > maxDomain:
		return usererr.Usage("--domain is longer than %d bytes, which is what fits into a certificate", maxDomain)
	case len(o.model) > maxModel:
		return usererr.Usage("--model is longer than %d bytes", maxModel)
	}
	if err := checkTypable("--domain", o.domain); err != nil {
		return err
	}
	return checkTypable("--model", o.model)
}

func checkTypable(flag, text string) error {
	switch {
	case text == "":
		return usererr.Usage("%s is missing", flag)
	case strings.TrimSpace(text) == "":
		return usererr.Usage("%s is empty", flag)
	case !utf8.ValidString(text):
		return usererr.Usage("%s is not UTF-8", flag)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return usererr.Usage("%s holds a control character", flag)
	}
	return nil
}

// parseValidity reads a number of days ("90d") or years ("20y"), up to 100
// years.
func parseValidity(text string) (time.Duration, error) {
	wrong := usererr.Usage("--validity %q is no period", text).WithHint("write days or years, at most 100 years: 90d, 20y")
	if text == "" {
		return 0, wrong
	}
	number, unit := text[:len(text)-1], text[len(text)-1]
	count, err := strconv.Atoi(number)
	if err != nil || count < 1 {
		return 0, wrong
	}
	days := count
	switch unit {
	case 'd':
	case 'y':
		days = count * 365
	default:
		return 0, wrong
	}
	if count > 36500 || days > 36500 {
		return 0, wrong
	}
	return time.Duration(days) * day, nil
}
