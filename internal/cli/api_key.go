package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/usererr"
)

const apiKeyListExamples = `  mbl-cli api-key list
  mbl-cli -o json api-key list`

const apiKeyUseExamples = `  mbl-cli api-key use ci
  mbl-cli api-key use https://cloud.example.com
  mbl-cli --api-url https://cloud.example.com api-key use ci`

const apiKeyForgetExamples = `  mbl-cli api-key forget ci
  mbl-cli api-key forget ci --dry-run
  mbl-cli --api-url https://cloud.example.com api-key forget ci`

func newAPIKeyCommand(a *app) *cobra.Command {
	group := newGroupCommand("api-key", "List, choose and forget saved API keys")
	group.Example = "  mbl-cli api-key list\n  mbl-cli api-key use ci\n  mbl-cli api-key forget ci"
	group.AddCommand(newAPIKeyListCommand(a), newAPIKeyUseCommand(a), newAPIKeyForgetCommand(a))
	return group
}

func newAPIKeyListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the saved API keys, never the keys themselves",
		Example: apiKeyListExamples,
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return a.listAPIKeys() },
	}
}

func newAPIKeyUseCommand(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "use NAME|URL",
		Short: "Choose the API key, and with it the service, for later commands",
		Long: `Choose the API key, and with it the service, for later commands.

The original tool uses it too, unless it is in the keyring. --api-url tells
keys of one name apart.`,
		Example:           apiKeyUseExamples,
		Args:              takes("NAME|URL"),
		ValidArgsFunction: a.completeAPIKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.useAPIKey(cmd.Context(), args[0], dryRun)
		},
	}
	addDryRunFlag(cmd, &dryRun)
	return cmd
}

func newAPIKeyForgetCommand(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "forget NAME|URL",
		Short: "Remove an API key from the user store and the keyring",
		Long: `Remove an API key from the user store and the keyring.

The service still accepts it: whoever has a copy can use it until it is
deleted there. --api-url tells keys of one name apart.`,
		Example:           apiKeyForgetExamples,
		Args:              takes("NAME|URL"),
		ValidArgsFunction: a.completeAPIKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.forgetAPIKey(cmd.Context(), args[0], dryRun)
		},
	}
	addDryRunFlag(cmd, &dryRun)
	return cmd
}

// apiKeyRow is what may be shown of an API key.
type apiKeyRow struct {
	Name      string     `json:"name"`
	URL       string     `json:"url"`
	Chosen    bool       `json:"chosen"`
	ID        string     `json:"id,omitempty"` // of the key in the service; not its secret
	AccountID string     `json:"account_id,omitempty"`
	Checked   *time.Time `json:"checked"` // when the service last accepted it at saving
	Keyring   bool       `json:"keyring"`
	CAFile    string     `json:"ca_file,omitempty"`
}

type apiKeyList struct {
	APIKeys []apiKeyRow `json:"api_keys"`
}

// chosenKey is what api-key use prints.
type chosenKey struct {
	apiKeyRow
	DryRun bool `json:"dry_run"`
}

// forgottenKey is what api-key forget prints.
type forgottenKey struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	DryRun bool   `json:"dry_run"`
}

func newAPIKeyRow(key credstore.APIKey, chosen bool) apiKeyRow {
	row := apiKeyRow{
		Name: key.Name, URL: key.URL, Chosen: chosen, ID: key.ID(), AccountID: key.AccountID,
		Keyring: key.Keyring, CAFile: key.CAFile,
	}
	if !key.Checked.IsZero() {
		row.Checked = &key.Checked
	}
	return row
}

func (a *app) listAPIKeys() error {
	stores, err := a.stores()
	if err != nil {
		return err
	}
	keys, err := stores.User.APIKeys()
	if err != nil {
		return err
	}
	rows := []apiKeyRow{}
	for i, key := range keys {
		rows = append(rows, newAPIKeyRow(key, i == 0))
	}
	return a.print(apiKeyList{rows}, func(w io.Writer) { writeAPIKeys(w, rows) })
}

func writeAPIKeys(w io.Writer, rows []apiKeyRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No API keys.")
		return
	}
	fmt.Fprintln(w, "CHOSEN\tNAME\tURL\tACCOUNT\tID\tCHECKED\tKEPT IN")
	for _, row := range rows {
		chosen, checked, kept := "", "-", "user store"
		if row.Chosen {
			chosen = "*"
		}
		if row.Checked != nil {
			checked = row.Checked.Format(time.DateOnly)
		}
		if row.Keyring {
			kept = "keyring"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			chosen, oneLine(row.Name), oneLine(row.URL), orDash(oneLine(row.AccountID)), orDash(row.ID), checked, kept)
	}
}

func (a *app) useAPIKey(ctx context.Context, nameOrURL string, dryRun bool) error {
	stores, key, err := a.findAPIKey(nameOrURL)
	if err != nil {
		return err
	}
	if !dryRun {
		if err := stores.User.ChooseAPIKey(ctx, key.Name, key.URL); err != nil {
			return err
		}
	}
	return a.print(chosenKey{newAPIKeyRow(key, !dryRun), dryRun}, func(w io.Writer) {
		fmt.Fprintf(w, "Later commands %s the API key %s for %s.\n", didOrWould(dryRun, "use", "would use"), oneLine(key.Name), oneLine(key.URL))
	})
}

func (a *app) forgetAPIKey(ctx context.Context, nameOrURL string, dryRun bool) error {
	stores, key, err := a.findAPIKey(nameOrURL)
	if err != nil {
		return err
	}
	forgotten := forgottenKey{key.Name, key.URL, dryRun}
	if !dryRun {
		if err := stores.User.ForgetAPIKey(ctx, key.Name, key.URL); err != nil {
			return err
		}
		a.tellNextKey(stores)
	}
	return a.print(forgotten, func(w io.Writer) {
		fmt.Fprintf(w, "%s the API key %s for %s.\n", didOrWould(dryRun, "Forgot", "Would forget"), oneLine(key.Name), oneLine(key.URL))
	})
}

// tellNextKey says which key is the chosen one now: another service may be in
// use from here on.
func (a *app) tellNextKey(stores *credstore.Stores) {
	if next, err := stores.User.ChosenAPIKey(); err == nil {
		a.progress("The API key in use is %s for %s.", next.Name, next.URL)
	}
}

// findAPIKey finds the one key that a person means by a name or a URL.
func (a *app) findAPIKey(nameOrURL string) (*credstore.Stores, credstore.APIKey, error) {
	stores, err := a.stores()
	if err != nil {
		return nil, credstore.APIKey{}, err
	}
	keys, err := stores.User.APIKeys()
	if err != nil {
		return nil, credstore.APIKey{}, err
	}
	matching, err := matchingKeys(keys, nameOrURL, a.flags.apiURL)
	if err != nil {
		return nil, credstore.APIKey{}, err
	}
	switch len(matching) {
	case 0:
		return nil, credstore.APIKey{}, usererr.Failure("there is no API key %q", nameOrURL).WithHint("`mbl-cli api-key list` shows what there is")
	case 1:
		return stores, matching[0], nil
	default:
		return nil, credstore.APIKey{}, usererr.Usage("%q fits %s: %s", nameOrURL, counted(len(matching), "API key"), someOf(keyLabels(matching))).
			WithHint("give its name, and its URL with --api-url")
	}
}

func matchingKeys(keys []credstore.APIKey, nameOrURL, onlyURL string) ([]credstore.APIKey, error) {
	if onlyURL != "" {
		url, err := cloudapi.NormalizeURL(onlyURL)
		if err != nil {
			return nil, err
		}
		keys = slices.DeleteFunc(keys, func(key credstore.APIKey) bool { return key.URL != url })
	}
	asURL, err := cloudapi.NormalizeURL(nameOrURL)
	if errors.Is(err, cloudapi.ErrURL) {
		asURL = ""
	}
	return slices.DeleteFunc(keys, func(key credstore.APIKey) bool {
		return key.Name != nameOrURL && (asURL == "" || key.URL != asURL)
	}), nil
}

func keyLabels(keys []credstore.APIKey) []string {
	var labels []string
	for _, key := range keys {
		labels = append(labels, key.Name+" for "+key.URL)
	}
	return labels
}

func addDryRunFlag(cmd *cobra.Command, dryRun *bool) {
	cmd.Flags().BoolVar(dryRun, "dry-run", false, "say what would be done, and do nothing")
}

func didOrWould(dryRun bool, did, would string) string {
	if dryRun {
		return would
	}
	return did
}
