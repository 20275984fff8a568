package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/secret"
	"mbl/internal/usererr"
)

const (
	keyFromInput  = "-"
	maxAPIKey     = 1024      // bytes
	defaultKeyTag = "default" // the name of a key without one
)

const saveAPIKeyExamples = `  mbl-cli save-api-key -
  mbl-cli save-api-key - < key.txt
  mbl-cli --api-url https://cloud.example.com --ca-file ca.pem save-api-key -
  mbl-cli save-api-key --name ci --keyring -`

const saveAPIKeyLong = `Check an API key against the service, then keep it in the user store together
with the service's URL (and --ca-file). It is never sent to another service.

With - or without KEY the key is read from standard input, from a terminal
without showing it. A service may have several keys, told apart by --name; the
one saved last is used (see mbl-cli api-key). With --keyring the operating
system's keyring keeps the key, and the store only notes that.`

type saveAPIKeyOptions struct {
	name    string
	keyring bool
	dryRun  bool
}

func newSaveAPIKeyCommand(a *app) *cobra.Command {
	var opts saveAPIKeyOptions
	cmd := &cobra.Command{
		Use:     "save-api-key [KEY|-]",
		Short:   "Check an API key and keep it",
		Long:    saveAPIKeyLong,
		Example: saveAPIKeyExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usererr.Usage("more than one argument given") // not repeated: one is a key
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.saveAPIKey(cmd.Context(), append(args, keyFromInput)[0], opts)
		},
	}
	cmd.Flags().StringVar(&opts.name, "name", defaultKeyTag, "what to call the key: `NAME`")
	cmd.Flags().BoolVar(&opts.keyring, "keyring", false, "keep the key in the operating system's keyring")
	cmd.Flags().BoolVar(&opts.dryRun, "dry-run", false, "check the key, and keep nothing")
	return cmd
}

func (a *app) saveAPIKey(ctx context.Context, given string, opts saveAPIKeyOptions) error {
	if err := credstore.CheckName(opts.name); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	stores, err := a.stores()
	if err != nil {
		return err
	}
	key, err := a.newKey(ctx, stores, given)
	if err != nil {
		return err
	}
	account, err := a.checkKey(ctx, key)
	if err != nil {
		return err
	}
	key.Name, key.Keyring = opts.name, opts.keyring
	key.AccountID, key.Checked = account.ID, time.Now().Truncate(time.Second)
	if !opts.dryRun {
		if err := stores.User.SaveAPIKey(ctx, key); err != nil {
			return err
		}
	}
	if given != keyFromInput {
		a.progress("hint: `mbl-cli save-api-key -` keeps the key out of your shell's history")
	}
	saved := savedAPIKey{key.Name, key.URL, account.ID, stores.User.Path(), key.Keyring, opts.dryRun}
	return a.print(saved, func(w io.Writer) {
		fmt.Fprintf(w, "%s the API key for %s (account %s).\n", didOrWould(opts.dryRun, "Saved", "Would save"), saved.URL, oneLine(saved.AccountID))
	})
}

// savedAPIKey is what save-api-key prints.
type savedAPIKey struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	AccountID string `json:"account_id"`
	UserStore string `json:"user_store"`
	Keyring   bool   `json:"keyring"`
	DryRun    bool   `json:"dry_run"`
}

// newKey is the key that the person gave, with the service it is for.
func (a *app) newKey(ctx context.Context, stores *credstore.Stores, given string) (credstore.APIKey, error) {
	url, err := a.serviceURL()
	if err != nil {
		return credstore.APIKey{}, err
	}
	text, err := a.keyText(ctx, given)
	if err != nil {
		return credstore.APIKey{}, err
	}
	if err := checkKeyText(text); err != nil {
		return credstore.APIKey{}, err
	}
	ca, err := a.newKeyCAFile(stores, url)
	return credstore.APIKey{URL: url, Key: secret.New(text), CAFile: ca}, err
}

func (a *app) keyText(ctx context.Context, given string) (string, error) {
	if given != keyFromInput {
		return strings.TrimSpace(given), nil
	}
	if a.sys.InTTY && a.flags.noInput {
		return "", usererr.Usage("KEY is missing, and --no-input forbids to ask for it").WithHint("pipe the key in: `mbl-cli save-api-key - < FILE`")
	}
	key, err := a.askSecret(ctx, "API key: ")
	if errors.Is(err, errInputEnded) {
		return "", usererr.Usage("standard input holds no API key").WithHint("pipe the key in: `mbl-cli save-api-key - < FILE`")
	}
	return key, err
}

// newKeyCAFile is the CA file to use: the one named now, else the one that
// serves for this service already.
func (a *app) newKeyCAFile(stores *credstore.Stores, url string) (string, error) {
	saved, err := a.savedKey(stores, url)
	if err != nil {
		return "", err
	}
	return a.caFile(saved.CAFile)
}

// checkKeyText refuses what cannot be a key, without repeating it.
func checkKeyText(text string) error {
	switch {
	case text == "":
		return usererr.Usage("the API key is empty")
	case len(text) > maxAPIKey:
		return usererr.Usage("this is too long for an API key: %d bytes", len(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return usererr.Usage("this is no API key: it holds spaces or special characters")
	}
	return nil
}

// checkKey asks the service whose key this is. A wrong address must not pass
// for a good key, so only a real answer counts.
func (a *app) checkKey(ctx context.Context, key credstore.APIKey) (*cloudapi.Account, error) {
	client, err := a.client(key)
	if err != nil {
		return nil, err
	}
	a.progress("Checking the API key with %s.", key.URL)
	account, err := client.CurrentAccount(ctx)
	switch {
	case errors.Is(err, cloudapi.ErrNotFound):
		return nil, usererr.Failure("%s is not a Device Management service: it knows no accounts", key.URL).Because(err).
			WithHint("--api-url names the service; nothing was saved")
	case errors.Is(err, cloudapi.ErrUnauthorized):
		// The original's words, which scripts look for, and which service that is.
		return nil, usererr.New(usererr.ExitKeyRefused, "API key not recognised by Pelion Device Management (%s)", key.URL).Because(err).
			WithHint("check that the key is whole; --api-url names another service; nothing was saved")
	}
	return account, err
}
