package cloud

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mbl/internal/secret"
)

// APIKey is a key to the REST API. Its secret is not known any more.
type APIKey struct {
	ID         string
	AccountID  string
	Name       string
	Owner      string   // id of a user
	Groups     []string // ids of the account's groups
	Active     bool
	Digest     []byte // SHA-256 of the secret
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time // to the minute; zero if never used
}

// PublicText is the key's text without its secret.
func (k *APIKey) PublicText() string { return publicKeyText(k.AccountID, k.ID) }

// APIKeySettings are what a caller says about a key; nil leaves a setting as
// it is, or as it is by default.
type APIKeySettings struct {
	Name   *string
	Owner  *string
	Groups *[]string
	Active *bool
}

// APIKeyFields may be filtered in lists of API keys.
func APIKeyFields() Fields {
	return Fields{
		"key":   {Kind: Text, Operators: []Operator{Equal}},
		"owner": {Kind: ID, Operators: []Operator{Equal}},
	}
}

// IssueAPIKey makes a key for whoever has the service's data at hand, in the
// account made at first start. It returns ErrNotFound before the first start.
func (s *Service) IssueAPIKey(ctx context.Context, name string, role Role) (text secret.Text, err error) {
	if err := checkName(name); err != nil {
		return secret.Text{}, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		account, err := w.FirstAccount(ctx)
		if err != nil {
			return err
		}
		var key *APIKey
		key, text = s.newKey(account, name, role)
		if err := w.InsertAPIKey(ctx, key); err != nil {
			return err
		}
		return s.auditCommand(ctx, w, "create API key", key.ID)
	})
	if err != nil {
		return secret.Text{}, fmt.Errorf("cannot make an API key: %w", err)
	}
	return text, nil
}

func (s *Service) newKey(account *Account, name string, role Role) (*APIKey, secret.Text) {
	now := s.now()
	secretPart, digest := newSecret()
	key := &APIKey{
		ID:        s.ids.New(),
		AccountID: account.ID,
		Name:      name,
		Owner:     account.AdministratorID,
		Groups:    []string{account.group(role)},
		Active:    true,
		Digest:    digest,
		Version:   1,
		CreatedAt: now,
		UpdatedAt: now,
	}
	return key, secret.New(key.PublicText() + secretPart)
}

// CreateAPIKey makes a key, by default for a developer. Its text cannot be
// had again. It returns ErrForbidden for callers who are no administrators.
func (s *Service) CreateAPIKey(ctx context.Context, who Principal, settings APIKeySettings) (key *APIKey, text secret.Text, err error) {
	if !who.Administrator {
		return nil, secret.Text{}, Refuse(ErrForbidden, "only administrators create API keys")
	}
	if settings.Name == nil {
		return nil, secret.Text{}, RefuseField("name", "is missing")
	}
	account, err := s.store.Account(ctx, who.AccountID)
	if err != nil {
		return nil, secret.Text{}, err
	}
	key, text = s.newKey(account, *settings.Name, Developers)
	key.Owner = who.OwnerID
	if err := settings.apply(key, account); err != nil {
		return nil, secret.Text{}, err
	}
	auditNew(ctx, key.ID)
	err = s.store.Update(ctx, func(w Writer) error { return w.InsertAPIKey(ctx, key) })
	return key, text, err
}

// APIKeys lists the account's keys. It returns ErrForbidden for callers who
// are no administrators.
func (s *Service) APIKeys(ctx context.Context, who Principal, query Query) (Page[*APIKey], error) {
	if !who.Administrator {
		return Page[*APIKey]{}, Refuse(ErrForbidden, "only administrators list API keys")
	}
	for i, condition := range query.Conditions {
		if condition.Field == "key" {
			query.Conditions[i] = where("id", keyIDOf(condition.Values[0].(string)))
		}
	}
	return s.store.APIKeys(ctx, who.AccountID, query)
}

// APIKey reads a key. Callers who are no administrators have only their own.
func (s *Service) APIKey(ctx context.Context, who Principal, id string) (*APIKey, error) {
	return ownKey(ctx, s.store, who, id)
}

func ownKey(ctx context.Context, r Reader, who Principal, id string) (*APIKey, error) {
	if id != who.KeyID && !who.Administrator {
		return nil, Refuse(ErrForbidden, "only administrators manage other API keys")
	}
	key, err := r.APIKey(ctx, id)
	if err != nil {
		return nil, err
	}
	if key.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return key, nil
}

// UpdateAPIKey changes a key's settings. It returns ErrConflict if no active
// administrator would be left.
func (s *Service) UpdateAPIKey(ctx context.Context, who Principal, id string, settings APIKeySettings) (*APIKey, error) {
	key, err := s.changeKey(ctx, who, id, func(key *APIKey, account *Account) error {
		before := slices.Clone(key.Groups)
		if err := settings.apply(key, account); err != nil {
			return err
		}
		if !who.Administrator && !slices.Equal(before, key.Groups) {
			return errOnlyAdministratorsGroup()
		}
		return nil
	})
	if err == nil && !key.Active {
		s.watcher.KeyChanged(id, KeyDisabled)
	}
	return key, err
}

// ResetAPIKeySecret gives a key a new secret; the old one is void at once, and
// the key's callback goes with it: whoever knew the old secret may have set it.
func (s *Service) ResetAPIKeySecret(ctx context.Context, who Principal, id string) (*APIKey, secret.Text, error) {
	secretPart, digest := newSecret()
	key, err := s.changeKey(ctx, who, id, func(key *APIKey, _ *Account) error {
		key.Digest = digest
		return nil
	})
	if err != nil {
		return nil, secret.Text{}, err
	}
	s.watcher.KeyChanged(id, KeyReset)
	return key, secret.New(key.PublicText() + secretPart), nil
}

func errOnlyAdministratorsGroup() error {
	return Refuse(ErrForbidden, "only administrators change the groups of API keys")
}

func (s *Service) changeKey(ctx context.Context, who Principal, id string, change func(*APIKey, *Account) error) (key *APIKey, err error) {
	err = s.store.Update(ctx, func(w Writer) error {
		key, err = s.changeKeyIn(ctx, w, who, id, change)
		return err
	})
	return key, err
}

func (s *Service) changeKeyIn(ctx context.Context, w Writer, who Principal, id string, change func(*APIKey, *Account) error) (*APIKey, error) {
	key, err := ownKey(ctx, w, who, id)
	if err != nil {
		return nil, err
	}
	account, err := w.Account(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	before := *key
	if err := change(key, account); err != nil {
		return nil, err
	}
	if account.administers(&before) && !account.administers(key) {
		if err := checkAdministratorLeft(ctx, w, account, id); err != nil {
			return nil, err
		}
	}
	key.Version++
	key.UpdatedAt = s.now()
	return key, w.UpdateAPIKey(ctx, key)
}

// administers tells whether a key can manage the others.
func (a *Account) administers(key *APIKey) bool {
	return key.Active && slices.Contains(key.Groups, a.AdministratorsGroup)
}

// checkAdministratorLeft wants an active administrator's key besides one.
func checkAdministratorLeft(ctx context.Context, r Reader, account *Account, without string) error {
	others, err := r.APIKeys(ctx, account.ID, Query{Limit: 1, Conditions: []Condition{
		inGroup(account.AdministratorsGroup),
		where("status", "ACTIVE"),
		{Field: "id", Operator: NotEqual, Values: []any{without}},
	}})
	if err == nil && len(others.Items) == 0 {
		return Refuse(ErrConflict, "this is the last active API key of an administrator; make another one first")
	}
	return err
}

// DeleteAPIKey deletes a key. It returns ErrConflict if it is the last active
// one of an administrator.
func (s *Service) DeleteAPIKey(ctx context.Context, who Principal, id string) error {
	err := s.store.Update(ctx, func(w Writer) error {
		key, err := ownKey(ctx, w, who, id)
		if err != nil {
			return err
		}
		account, err := w.Account(ctx, who.AccountID)
		if err != nil {
			return err
		}
		if account.administers(key) {
			if err := checkAdministratorLeft(ctx, w, account, id); err != nil {
				return err
			}
		}
		return w.DeleteAPIKey(ctx, id)
	})
	if err == nil {
		s.watcher.KeyChanged(id, KeyDeleted)
	}
	return err
}

func (settings APIKeySettings) apply(key *APIKey, account *Account) error {
	if settings.Name != nil {
		if err := checkName(*settings.Name); err != nil {
			return err
		}
		key.Name = *settings.Name
	}
	if settings.Owner != nil {
		if *settings.Owner != account.AdministratorID {
			return RefuseField("owner", "is not a user of the account")
		}
		key.Owner = *settings.Owner
	}
	if settings.Active != nil {
		key.Active = *settings.Active
	}
	if settings.Groups == nil {
		return nil
	}
	if err := account.checkGroups(*settings.Groups); err != nil {
		return err
	}
	if len(*settings.Groups) > 0 {
		key.Groups = withoutRepeats(*settings.Groups)
	}
	return nil
}

func withoutRepeats(texts []string) []string {
	var once []string
	for _, text := range texts {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

func (a *Account) checkGroups(groups []string) error {
	for _, group := range groups {
		if group != a.AdministratorsGroup && group != a.DevelopersGroup {
			return RefuseField("groups", "names a group that does not exist")
		}
	}
	return nil
}
