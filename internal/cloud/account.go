package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Account owns keys, certificates and devices.
type Account struct {
	ID                  string
	AdministratorID     string // the user who owns what nobody else owns
	AdministratorsGroup string // id of the group whose API keys may do everything
	DevelopersGroup     string // id of the group whose API keys may not manage keys
	DisplayName         string
	Profile             AccountProfile
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
// makes (the certificate authorities and the account) and opens the
// authorities with the seal key. first tells whether there was no account
// before, and so no API key.
func (s *Service) Prepare(ctx context.Context) (first bool, err error) {
	if err := s.prepareAuthorities(ctx); err != nil {
		return false, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		_, err := w.FirstAccount(ctx)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		first = true
		return w.InsertAccount(ctx, s.newAccount())
	})
	if err != nil {
		return false, fmt.Errorf("cannot make the account: %w", err)
	}
	return first, nil
}

func (s *Service) newAccount() *Account {
	now := s.now()
	return &Account{
		ID:                  s.ids.New(),
		AdministratorID:     s.ids.New(),
		AdministratorsGroup: s.ids.New(),
		DevelopersGroup:     s.ids.New(),
		DisplayName:         "mbl-cloud",
		Version:             1,
		CreatedAt:           now,
		UpdatedAt:           now,
	}
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
