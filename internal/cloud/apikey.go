package cloud

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// Principal is who asks: the owner of a valid API key.
type Principal struct {
	AccountID     string
	KeyID         string
	OwnerID       string
	Administrator bool
}

// APIKeySettings are what a caller says about a key; nil leaves a setting as
// it is, or as it is by default.
type APIKeySettings struct {
	Name   *string
	Owner  *string
	Groups *[]string
	Active *bool
}

// maxNameLength is the length of the names of keys and certificates, in characters.
const maxNameLength = 100

// lastUsedPrecision keeps a busy key from costing a write per request.
const lastUsedPrecision = time.Minute

// APIKeyFields may be filtered in lists of API keys.
func APIKeyFields() Fields {
	return Fields{
		"key":   {Kind: Text, Operators: []Operator{Equal}},
		"owner": {Kind: ID, Operators: []Operator{Equal}},
	}
}

// Authenticate tells who holds an API key. It returns ErrUnauthorized for
// anything but an active key.
func (s *Service) Authenticate(ctx context.Context, text secret.Text) (Principal, error) {
	refusal := Refuse(ErrUnauthorized, "the API key is not valid")
	id, secretPart, ok := splitKey(text)
	if !ok {
		return Principal{}, refusal
	}
	key, err := s.store.APIKey(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Principal{}, refusal
	}
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare(digestSecret(secretPart), key.Digest) != 1 || !key.Active ||
		!strings.HasPrefix(text.Reveal(), key.PublicText()) {
		return Principal{}, refusal
	}
	return s.principal(ctx, key)
}

func (s *Service) principal(ctx context.Context, key *APIKey) (Principal, error) {
	account, err := s.store.Account(ctx, key.AccountID)
	if err != nil {
		return Principal{}, err
	}
	s.recordUse(ctx, key)
	return Principal{
		AccountID:     key.AccountID,
		KeyID:         key.ID,
		OwnerID:       key.Owner,
		Administrator: slices.Contains(key.Groups, account.AdministratorsGroup),
	}, nil
}

// recordUse notes that a key is in use. It is a note and no more: with a full
// disk, what needs no writing still works.
func (s *Service) recordUse(ctx context.Context, key *APIKey) {
	now := s.now()
	if now.Sub(key.LastUsedAt) < lastUsedPrecision {
		return
	}
	err := s.store.Update(ctx, func(w Writer) error { return w.TouchAPIKey(ctx, key.ID, now) })
	if err != nil {
		s.log.WarnContext(ctx, "cannot record the use of an API key", "key", key.ID, "error", err)
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
		return w.InsertAPIKey(ctx, key)
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

// UpdateAPIKey changes a key's settings.
func (s *Service) UpdateAPIKey(ctx context.Context, who Principal, id string, settings APIKeySettings) (*APIKey, error) {
	return s.changeKey(ctx, who, id, func(key *APIKey, account *Account) error {
		before := slices.Clone(key.Groups)
		if err := settings.apply(key, account); err != nil {
			return err
		}
		if !who.Administrator && !slices.Equal(before, key.Groups) {
			return Refuse(ErrForbidden, "only administrators change the groups of API keys")
		}
		return nil
	})
}

// ResetAPIKeySecret gives a key a new secret; the old one is void at once.
func (s *Service) ResetAPIKeySecret(ctx context.Context, who Principal, id string) (*APIKey, secret.Text, error) {
	secretPart, digest := newSecret()
	key, err := s.changeKey(ctx, who, id, func(key *APIKey, _ *Account) error {
		key.Digest = digest
		return nil
	})
	if err != nil {
		return nil, secret.Text{}, err
	}
	return key, secret.New(key.PublicText() + secretPart), nil
}

func (s *Service) changeKey(ctx context.Context, who Principal, id string, change func(*APIKey, *Account) error) (key *APIKey, err error) {
	err = s.store.Update(ctx, func(w Writer) error {
		if key, err = ownKey(ctx, w, who, id); err != nil {
			return err
		}
		account, err := w.Account(ctx, who.AccountID)
		if err != nil {
			return err
		}
		if err := change(key, account); err != nil {
			return err
		}
		key.Version++
		key.UpdatedAt = s.now()
		return w.UpdateAPIKey(ctx, key)
	})
	return key, err
}

// DeleteAPIKey deletes a key.
func (s *Service) DeleteAPIKey(ctx context.Context, who Principal, id string) error {
	return s.store.Update(ctx, func(w Writer) error {
		if _, err := ownKey(ctx, w, who, id); err != nil {
			return err
		}
		return w.DeleteAPIKey(ctx, id)
	})
}

func (settings APIKeySettings) apply(key *APIKey, account *Account) error {
	if settings.Name != nil {
		if err := checkName(*settings.Name); err != nil {
			return err
		}
		key.Name = *settings.Name
	}
	if settings.Owner != nil {
		key.Owner = *settings.Owner
	}
	if settings.Active != nil {
		key.Active = *settings.Active
	}
	if settings.Groups == nil {
		return nil
	}
	for _, group := range *settings.Groups {
		if group != account.AdministratorsGroup && group != account.DevelopersGroup {
			return RefuseField("groups", "names a group that does not exist")
		}
	}
	if len(*settings.Groups) > 0 {
		key.Groups = *settings.Groups
	}
	return nil
}

// checkName checks the name of a key or certificate.
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return RefuseField("name", "is missing")
	case utf8.RuneCountInString(name) > maxNameLength:
		return RefuseField("name", "is longer than %d characters", maxNameLength)
	case !printable(name):
		return RefuseField("name", "holds control characters")
	}
	return nil
}

// checkDescription checks a text of several lines.
func checkDescription(text string, limit int) error {
	if utf8.RuneCountInString(text) > limit {
		return RefuseField("description", "is longer than %d characters", limit)
	}
	if strings.ContainsRune(text, 0) {
		return RefuseField("description", "holds a NUL character")
	}
	return nil
}

// printable tells whether a text holds no control characters. (PostgreSQL
// cannot store NUL, and terminals obey the others.)
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
	})
}
