package cli

import (
	"context"
	"errors"
	"path/filepath"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/secret"
	"mbl/internal/usererr"
)

// defaultService is the original service.
const defaultService = "https://api.us-east-1.mbedcloud.com"

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
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	return credstore.Open(credstore.Config{Home: home, StoresFile: a.sys.Getenv(envStores)})
}

// service makes a client of the service in use, with the key that belongs to
// it. Nothing is sent yet.
func (a *app) service(_ context.Context) (*cloudapi.Client, error) {
	url, err := a.serviceURL()
	if err != nil {
		return nil, err
	}
	key, err := a.serviceKey(url)
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
	if errors.Is(err, credstore.ErrNotFound) || err == nil && chosen.URL == "" {
		return defaultService, nil
	}
	return chosen.URL, err
}

// serviceKey is the key to use with the service at url: the environment's,
// else the one saved for exactly this service.
func (a *app) serviceKey(url string) (credstore.APIKey, error) {
	saved, err := a.savedKey(url)
	if err != nil {
		return credstore.APIKey{}, err
	}
	key := credstore.APIKey{URL: url, Key: saved.Key, CAFile: saved.CAFile}
	if fromEnv := a.sys.Getenv(envKey); fromEnv != "" {
		key.Key = secret.New(fromEnv)
	}
	if key.Key.Empty() {
		return credstore.APIKey{}, usererr.New(usererr.ExitFailure, "there is no API key for %s", url).
			Because(errNoKey).
			WithHint("`mbl-cli --api-url %s save-api-key -` saves one", url)
	}
	key.CAFile, err = a.caFile(saved.CAFile)
	return key, err
}

// savedKey is the key saved for the service at url; a zero one if there is
// none. A key of the original tool belongs to the original service.
func (a *app) savedKey(url string) (credstore.APIKey, error) {
	stores, err := a.stores()
	if err != nil {
		return credstore.APIKey{}, err
	}
	saved, err := stores.User.APIKeyFor(url)
	if errors.Is(err, credstore.ErrNotFound) && url == defaultService {
		saved, err = stores.User.ChosenAPIKey()
		if saved.URL != "" {
			return credstore.APIKey{}, nil
		}
	}
	if errors.Is(err, credstore.ErrNotFound) {
		return credstore.APIKey{}, nil
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
