package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mbl/internal/secret"
)

// Account owns keys, certificates and devices.
type Account struct {
	ID                  string
	AdministratorID     string // the user who owns what nobody else owns
	AdministratorsGroup string // id of the group whose API keys may do everything
	DevelopersGroup     string // id of the group whose API keys may not manage keys
	DisplayName         string
	Version             int64
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// Role is one of the two groups an API key can be made for.
type Role string

// The roles.
const (
	Administrators Role = "administrators"
	Developers     Role = "developers"
)

// Prepare makes the service ready to serve: it makes what the first start
// makes (the certificate authorities, the account, an administrator API key)
// and opens the authorities with the seal key. firstKey is that API key, or
// empty if this is not the first start; it cannot be had again.
func (s *Service) Prepare(ctx context.Context) (firstKey secret.Text, err error) {
	if err := s.prepareAuthorities(ctx); err != nil {
		return secret.Text{}, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		_, err := w.FirstAccount(ctx)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		firstKey, err = s.insertAccount(ctx, w)
		return err
	})
	if err != nil {
		return secret.Text{}, fmt.Errorf("cannot make the account: %w", err)
	}
	return firstKey, nil
}

func (s *Service) insertAccount(ctx context.Context, w Writer) (secret.Text, error) {
	now := s.now()
	account := &Account{
		ID:                  s.ids.New(),
		AdministratorID:     s.ids.New(),
		AdministratorsGroup: s.ids.New(),
		DevelopersGroup:     s.ids.New(),
		DisplayName:         "mbl-cloud",
		Version:             1,
		CreatedAt:           now,
		UpdatedAt:           now,
	}
	if err := w.InsertAccount(ctx, account); err != nil {
		return secret.Text{}, err
	}
	key, text := s.newKey(account, "first administrator key", Administrators)
	return text, w.InsertAPIKey(ctx, key)
}

// Account is the account of whoever asks.
func (s *Service) Account(ctx context.Context, who Principal) (*Account, error) {
	return s.store.Account(ctx, who.AccountID)
}

// Limits are the limits in force.
func (s *Service) Limits() Limits { return s.limits }

func (a *Account) group(role Role) string {
	if role == Administrators {
		return a.AdministratorsGroup
	}
	return a.DevelopersGroup
}
