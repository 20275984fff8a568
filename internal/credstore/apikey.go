package credstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mbl/internal/secret"
)

// OriginalService is the service that the original tool takes its one key to,
// unless its environment names another: it notes no URL with it.
const OriginalService = "https://api.us-east-1.mbedcloud.com"

// OriginalName is the name under which a key of the original tool is listed.
const OriginalName = "original"

// UserStore is the folder of one person: API keys, private keys, and the
// hashes of the certificates this person has used.
type UserStore struct{ dir string }

// Path is the store's folder.
func (u *UserStore) Path() string { return u.dir }

// APIKey is an API key and the one service it may be sent to. Name and URL
// together tell keys apart.
type APIKey struct {
	Name      string      // what a person calls it
	URL       string      // of the service
	Key       secret.Text // empty if it is in the keyring: see Fetch
	CAFile    string      // CA certificates to trust for the service; empty: the system's
	AccountID string      // of the key's account when it was checked; may be empty
	Checked   time.Time   // when the service last accepted it at saving; zero if not known
	Keyring   bool        // it is kept in the operating system's keyring

	item string // what it is called in the keyring
}

// ID is the part of the key's text that names it and is no secret; empty for
// a key in the keyring and one that is not of the known form.
func (k APIKey) ID() string {
	// "ak_1", account id in base64 (43 characters), key id (32), secret (32)
	const prefix, id, whole = "ak_1", len("ak_1") + 43, len("ak_1") + 43 + 32 + 32
	text := k.Key.Reveal()
	if len(text) != whole || text[:len(prefix)] != prefix {
		return ""
	}
	return text[id : id+32]
}

// storedKey is an APIKey as config.json holds it.
type storedKey struct {
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Key       string    `json:"key,omitempty"`
	Keyring   string    `json:"keyring,omitempty"` // item in the keyring that holds the key
	CAFile    string    `json:"ca_file,omitempty"`
	AccountID string    `json:"account_id,omitempty"`
	Checked   time.Time `json:"checked,omitzero"`
}

func (s storedKey) apiKey() APIKey {
	return APIKey{
		Name: s.Name, URL: s.URL, Key: secret.New(s.Key), CAFile: s.CAFile,
		AccountID: s.AccountID, Checked: s.Checked, Keyring: s.Keyring != "", item: s.Keyring,
	}
}

func (s storedKey) same(other storedKey) bool { return s.Name == other.Name && s.URL == other.URL }

// SaveAPIKey keeps a key, in place of an earlier one for the same service and
// name, and makes it the chosen one. With key.Keyring it goes into the
// operating system's keyring, and the store only notes that; the error matches
// ErrKeyring if that is not possible.
func (u *UserStore) SaveAPIKey(ctx context.Context, key APIKey) error {
	if err := u.saveAPIKey(ctx, key); err != nil {
		return fmt.Errorf("cannot save the API key: %w", err)
	}
	return nil
}

func (u *UserStore) saveAPIKey(ctx context.Context, key APIKey) error {
	stored := storedKey{
		Name: key.Name, URL: key.URL, Key: key.Key.Reveal(), CAFile: key.CAFile,
		AccountID: key.AccountID, Checked: key.Checked.UTC(),
	}
	if key.Keyring {
		item, err := keepInKeyring(ctx, key)
		if err != nil {
			return err
		}
		stored.Key, stored.Keyring = "", item
	}
	var replaced []storedKey
	err := u.changeKeys(ctx, func(keys []storedKey) ([]storedKey, error) {
		replaced = slices.DeleteFunc(slices.Clone(keys), func(k storedKey) bool { return !k.same(stored) })
		return append([]storedKey{stored}, slices.DeleteFunc(keys, stored.same)...), nil
	})
	if err != nil {
		return errors.Join(err, dropFromKeyring(context.WithoutCancel(ctx), stored.Keyring))
	}
	for _, old := range replaced {
		if err := dropFromKeyring(ctx, old.Keyring); err != nil {
			return fmt.Errorf("it is saved, but the key it replaces is still in the keyring: %w", err)
		}
	}
	return nil
}

// APIKeys are all keys, the chosen one first. The chosen one is the one saved
// or chosen last, by this program or by the original.
func (u *UserStore) APIKeys() ([]APIKey, error) {
	stored, err := u.readKeys()
	if err != nil {
		return nil, fmt.Errorf("cannot read the API keys: %w", err)
	}
	keys := make([]APIKey, 0, len(stored))
	for _, key := range stored {
		keys = append(keys, key.apiKey())
	}
	return keys, nil
}

// ChosenAPIKey is the first of APIKeys. The error matches ErrNotFound if there
// is none.
func (u *UserStore) ChosenAPIKey() (APIKey, error) {
	keys, err := u.APIKeys()
	if err != nil {
		return APIKey{}, err
	}
	if len(keys) == 0 {
		return APIKey{}, fmt.Errorf("an API key: %w", ErrNotFound)
	}
	return keys[0], nil
}

// APIKeyFor is the key for the service at url that was saved or chosen last.
// The error matches ErrNotFound if there is none.
func (u *UserStore) APIKeyFor(url string) (APIKey, error) {
	keys, err := u.APIKeys()
	if err != nil {
		return APIKey{}, err
	}
	for _, key := range keys {
		if key.URL == url {
			return key, nil
		}
	}
	return APIKey{}, fmt.Errorf("an API key for %s: %w", url, ErrNotFound)
}

// ChooseAPIKey makes a key the chosen one, for this program and, unless it is
// in the keyring, for the original too. The error matches ErrNotFound.
func (u *UserStore) ChooseAPIKey(ctx context.Context, name, url string) error {
	err := u.changeKeys(ctx, func(keys []storedKey) ([]storedKey, error) {
		return raise(keys, storedKey{Name: name, URL: url}.same)
	})
	if err != nil {
		return fmt.Errorf("cannot choose the API key %q: %w", name, err)
	}
	return nil
}

// ForgetAPIKey removes a key from the store and from the keyring. The error
// matches ErrNotFound.
func (u *UserStore) ForgetAPIKey(ctx context.Context, name, url string) error {
	if err := u.forgetAPIKey(ctx, storedKey{Name: name, URL: url}); err != nil {
		return fmt.Errorf("cannot forget the API key %q: %w", name, err)
	}
	return nil
}

func (u *UserStore) forgetAPIKey(ctx context.Context, which storedKey) error {
	keys, err := u.readKeys()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, which.same)
	if i < 0 {
		return ErrNotFound
	}
	// A note that outlives its key does less harm than a key nobody knows of.
	// The keyring may take its time, so nobody else is locked out meanwhile.
	if err := dropFromKeyring(ctx, keys[i].Keyring); err != nil {
		return err
	}
	return u.changeKeys(ctx, func(keys []storedKey) ([]storedKey, error) {
		return slices.DeleteFunc(keys, which.same), nil
	})
}

// OriginalAPIKey is the key that the original tool saved, which notes no
// service with it and takes it to the one its environment names. The error
// matches ErrNotFound if there is none.
func (u *UserStore) OriginalAPIKey() (APIKey, error) {
	keys, err := u.APIKeys()
	if err != nil {
		return APIKey{}, err
	}
	for _, key := range keys {
		if key.Name == OriginalName && key.URL == OriginalService && key.Checked.IsZero() {
			return key, nil
		}
	}
	return APIKey{}, fmt.Errorf("an API key of the original tool: %w", ErrNotFound)
}

// raise moves the first key that fits to the front.
func raise(keys []storedKey, fits func(storedKey) bool) ([]storedKey, error) {
	i := slices.IndexFunc(keys, fits)
	if i < 0 {
		return nil, ErrNotFound
	}
	chosen := keys[i]
	return slices.Insert(slices.Delete(keys, i, i+1), 0, chosen), nil
}

func (u *UserStore) readKeys() ([]storedKey, error) {
	doc, err := readDocument(u.dir)
	if err != nil {
		return nil, err
	}
	return u.keysIn(doc)
}

// keysIn are the keys of a document, the chosen one first. The original's
// field has the last word on which that is, and may hold a key of its own.
func (u *UserStore) keysIn(doc document) ([]storedKey, error) {
	var keys []storedKey
	if err := doc.get(u.dir, fieldAPIKeys, &keys); err != nil {
		return nil, err
	}
	var chosen string
	if err := doc.get(u.dir, fieldAPIKey, &chosen); err != nil {
		return nil, err
	}
	if chosen == "" {
		return keys, nil
	}
	if raised, err := raise(keys, func(k storedKey) bool { return k.Key == chosen }); err == nil {
		return raised, nil
	}
	original := storedKey{Name: OriginalName, URL: OriginalService, Key: chosen}
	return append([]storedKey{original}, slices.DeleteFunc(keys, original.same)...), nil
}

// changeKeys rewrites the keys under the store's lock. The first is the chosen
// one; the original is given it too, unless it is in the keyring.
func (u *UserStore) changeKeys(ctx context.Context, edit func([]storedKey) ([]storedKey, error)) error {
	return u.change(ctx, func(doc document) error {
		keys, err := u.keysIn(doc)
		if err != nil {
			return err
		}
		if keys, err = edit(keys); err != nil {
			return err
		}
		if err := doc.set(fieldAPIKeys, keys); err != nil {
			return err
		}
		if len(keys) == 0 || keys[0].Key == "" {
			delete(doc, fieldAPIKey)
			return nil
		}
		return doc.set(fieldAPIKey, keys[0].Key)
	})
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
