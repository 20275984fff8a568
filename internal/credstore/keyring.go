package credstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"mbl/internal/secret"
)

const (
	keyringService = "mbl-cli" // what the items in the keyring are filed under

	// A person may have to type the keyring's password in a window meanwhile.
	keyringTimeout = 90 * time.Second
)

// Fetch returns the key with its text, which it takes out of the keyring if
// it is there. The error matches ErrKeyring.
func (u *UserStore) Fetch(ctx context.Context, key APIKey) (APIKey, error) {
	if !key.Keyring {
		return key, nil
	}
	var text string
	err := withKeyring(ctx, func() (err error) {
		text, err = keyring.Get(keyringService, key.item)
		return err
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("cannot read the API key %q for %s: %w", key.Name, key.URL, err)
	}
	key.Key = secret.New(text)
	return key, nil
}

// keepInKeyring puts a key into the keyring under a new name, so that it
// takes no other store's place.
func keepInKeyring(ctx context.Context, key APIKey) (item string, err error) {
	item = fmt.Sprintf("%s %s %s", key.URL, key.Name, rand.Text()[:8])
	return item, withKeyring(ctx, func() error {
		return keyring.Set(keyringService, item, key.Key.Reveal())
	})
}

// dropFromKeyring removes an item; there may be none of that name, or no name.
func dropFromKeyring(ctx context.Context, item string) error {
	if item == "" {
		return nil
	}
	return withKeyring(ctx, func() error {
		if err := keyring.Delete(keyringService, item); !errors.Is(err, keyring.ErrNotFound) {
			return err
		}
		return nil
	})
}

// withKeyring does not let a keyring that does not answer keep anybody
// waiting: its calls cannot be interrupted, so they are left behind.
func withKeyring(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, keyringTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: it does not answer: %w", ErrKeyring, ctx.Err())
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrKeyring, err)
		}
		return nil
	}
}
