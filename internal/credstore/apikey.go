package credstore

import (
	"context"
	"fmt"

	"mbl/internal/secret"
)

// UserStore is the folder of one person: API keys, private keys, and the
// hashes of the certificates this person has used.
type UserStore struct{ dir string }

// Path is the store's folder.
func (u *UserStore) Path() string { return u.dir }

// APIKey is an API key and the one service it may be sent to.
type APIKey struct {
	Name   string // what a person calls it; may be empty
	URL    string // of the service; empty for a key the original tool saved
	Key    secret.Text
	CAFile string // CA certificates to trust for the service; empty: the system's
}

// storedKey is an APIKey as config.json holds it.
type storedKey struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Key    string `json:"key"`
	CAFile string `json:"ca_file,omitempty"`
}

func (s storedKey) apiKey() APIKey {
	return APIKey{Name: s.Name, URL: s.URL, Key: secret.New(s.Key), CAFile: s.CAFile}
}

// SaveAPIKey keeps a key, in place of an earlier one for the same service and
// name, and makes it the chosen one.
func (u *UserStore) SaveAPIKey(ctx context.Context, key APIKey) error {
	err := u.change(ctx, func(doc document) error {
		keys, err := u.storedKeys(doc)
		if err != nil {
			return err
		}
		stored := storedKey{Name: key.Name, URL: key.URL, Key: key.Key.Reveal(), CAFile: key.CAFile}
		if err := doc.set(fieldAPIKeys, placeFirst(keys, stored)); err != nil {
			return err
		}
		return doc.set(fieldAPIKey, stored.Key)
	})
	if err != nil {
		return fmt.Errorf("cannot save the API key: %w", err)
	}
	return nil
}

// placeFirst puts key before the others: the first key for a service is the
// one in use.
func placeFirst(keys []storedKey, key storedKey) []storedKey {
	result := []storedKey{key}
	for _, other := range keys {
		if other.URL != key.URL || other.Name != key.Name {
			result = append(result, other)
		}
	}
	return result
}

// ChosenAPIKey is the key saved last, by this program or by the original. The
// error matches ErrNotFound if there is none.
func (u *UserStore) ChosenAPIKey() (APIKey, error) {
	keys, chosen, err := u.readKeys()
	if err != nil {
		return APIKey{}, fmt.Errorf("cannot read the API keys: %w", err)
	}
	for _, key := range keys {
		if key.Key == chosen {
			return key.apiKey(), nil
		}
	}
	if chosen != "" {
		return APIKey{Key: secret.New(chosen)}, nil
	}
	if len(keys) > 0 {
		return keys[0].apiKey(), nil
	}
	return APIKey{}, fmt.Errorf("an API key: %w", ErrNotFound)
}

// APIKeyFor is the first key saved for the service at url. The error matches
// ErrNotFound if there is none.
func (u *UserStore) APIKeyFor(url string) (APIKey, error) {
	keys, _, err := u.readKeys()
	if err != nil {
		return APIKey{}, fmt.Errorf("cannot read the API keys: %w", err)
	}
	for _, key := range keys {
		if key.URL == url {
			return key.apiKey(), nil
		}
	}
	return APIKey{}, fmt.Errorf("an API key for %s: %w", url, ErrNotFound)
}

func (u *UserStore) readKeys() (keys []storedKey, chosen string, err error) {
	doc, err := readDocument(u.dir)
	if err != nil {
		return nil, "", err
	}
	if err := doc.get(u.dir, fieldAPIKey, &chosen); err != nil {
		return nil, "", err
	}
	keys, err = u.storedKeys(doc)
	return keys, chosen, err
}

func (u *UserStore) storedKeys(doc document) ([]storedKey, error) {
	var keys []storedKey
	err := doc.get(u.dir, fieldAPIKeys, &keys)
	return keys, err
}

// change rewrites config.json under the store's lock.
func (u *UserStore) change(ctx context.Context, edit func(document) error) error {
	if err := u.close(); err != nil {
		return err
	}
	return locked(ctx, u.dir, func() error {
		doc, err := readDocument(u.dir)
		if err != nil {
			return err
		}
		if err := edit(doc); err != nil {
			return err
		}
		return doc.write(u.dir, secretMode)
	})
}
