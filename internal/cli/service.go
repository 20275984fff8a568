package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/secret"
	"mbl/internal/usererr"
)

const (
	envService = "MBED_CLOUD_SDK_HOST"
	envKey     = "MBED_CLOUD_SDK_API_KEY"
	envCAFile  = "MBL_CA_FILE"
	envStores  = "MBL_STORES_FILE"
)

// errNoKey: there is no API key for the service in use.
var errNoKey = errors.New("there is no API key for the service")

// stores opens the user store and the team store.
func (a *app) stores() (*credstore.Stores, error) {
	cfg, err := a.storesConfig()
	if err != nil {
		return nil, err
	}
	return credstore.Open(cfg)
}

func (a *app) storesConfig() (credstore.Config, error) {
	home, err := a.home()
	return credstore.Config{Home: home, StoresFile: a.sys.Getenv(envStores)}, err
}

// service makes a client of the service in use, with the key that belongs to
// it. Nothing is sent yet.
func (a *app) service(ctx context.Context) (*cloudapi.Client, error) {
	url, err := a.serviceURL()
	if err != nil {
		return nil, err
	}
	key, err := a.serviceKey(ctx, url)
	if err != nil {
		return nil, err
	}
	return a.client(key)
}

// client makes a client for a key and its service.
func (a *app) client(key credstore.APIKey) (*cloudapi.Client, error) {
	return cloudapi.New(cloudapi.Config{
		BaseURL:      key.URL,
		Key:          key.Key,
		CAFile:       key.CAFile,
		InsecureHTTP: a.flags.insecureHTTP,
		Log:          a.log(),
		Timeout:      a.patience,
		RetryPause:   a.patience / 1000,
	})
}

// serviceURL is the service in use: --api-url, else the environment's, else
// that of the chosen key, else the original service.
func (a *app) serviceURL() (string, error) {
	for _, named := range []string{a.flags.apiURL, a.sys.Getenv(envService)} {
		if named != "" {
			return cloudapi.NormalizeURL(named)
		}
	}
	stores, err := a.stores()
	if err != nil {
		return "", err
	}
	chosen, err := stores.User.ChosenAPIKey()
	if errors.Is(err, credstore.ErrNotFound) {
		return credstore.OriginalService, nil
	}
	return chosen.URL, err
}

// serviceKey is the key to use with the service at url: the environment's,
// else the one saved for exactly this service.
func (a *app) serviceKey(ctx context.Context, url string) (key credstore.APIKey, err error) {
	if fromEnv := strings.TrimSpace(a.sys.Getenv(envKey)); fromEnv != "" {
		key, err = a.keyFromEnvironment(url, fromEnv)
	} else {
		key, err = a.keyFromStore(ctx, url)
	}
	if err != nil {
		return credstore.APIKey{}, err
	}
	if key.Key.Empty() {
		return credstore.APIKey{}, a.noKey(url)
	}
	key.CAFile, err = a.caFile(key.CAFile)
	return key, err
}

// noKey says how to save a key for the service at url, and why the one that
// the original tool saved is not it.
func (a *app) noKey(url string) error {
	err := usererr.New(usererr.ExitFailure, "there is no API key for %s", url).Because(errNoKey)
	if stores, _ := a.stores(); stores != nil {
		if _, missing := stores.User.OriginalAPIKey(); missing == nil {
			return err.WithHint("the key in your user store names no service, so --api-url does not get it; `mbl-cli --api-url %s save-api-key -` saves it for this one", url)
		}
	}
	return err.WithHint("`mbl-cli --api-url %s save-api-key -` saves one", url)
}

// keyFromEnvironment is the environment's key, with what the user store knows
// of the service. A machine that has no place for stores, such as a container,
// needs none.
func (a *app) keyFromEnvironment(url, text string) (credstore.APIKey, error) {
	if err := checkKeyText(text); err != nil {
		return credstore.APIKey{}, usererr.Usage("%s: %w", envKey, err).WithHint("set it to the key alone, as the service gave it; without it the saved key is used")
	}
	stores, err := a.stores()
	if errors.Is(err, errNoHome) || errors.Is(err, credstore.ErrNoPlace) {
		return credstore.APIKey{URL: url, Key: secret.New(text)}, nil
	}
	if err != nil {
		return credstore.APIKey{}, err
	}
	key, err := a.savedKey(stores, url)
	key.Key = secret.New(text)
	return key, err
}

// keyFromStore is the key saved for the service at url. Where the environment
// names the service it may be the one that the original tool saved: that tool
// would take it there.
func (a *app) keyFromStore(ctx context.Context, url string) (credstore.APIKey, error) {
	stores, err := a.stores()
	if err != nil {
		return credstore.APIKey{}, err
	}
	key, err := stores.User.APIKeyFor(url)
	if errors.Is(err, credstore.ErrNotFound) && a.flags.apiURL == "" {
		key, err = stores.User.OriginalAPIKey()
	}
	if errors.Is(err, credstore.ErrNotFound) {
		return credstore.APIKey{}, nil
	}
	if err != nil {
		return credstore.APIKey{}, err
	}
	key.URL = url
	return stores.User.Fetch(ctx, key)
}

// savedKey is the key saved for the service at url; one with the URL alone if
// there is none.
func (a *app) savedKey(stores *credstore.Stores, url string) (credstore.APIKey, error) {
	saved, err := stores.User.APIKeyFor(url)
	if errors.Is(err, credstore.ErrNotFound) {
		return credstore.APIKey{URL: url}, nil
	}
	return saved, err
}

// caFile is the file with the CAs to trust: --ca-file, else the environment's,
// else the one saved with the key.
func (a *app) caFile(saved string) (string, error) {
	for _, file := range []string{a.flags.caFile, a.sys.Getenv(envCAFile)} {
		if file != "" {
			return filepath.Abs(file)
		}
	}
	return saved, nil
}
