package cloud

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"mbl/internal/secret"
)

// Principal is who asks: the owner of a valid API key.
type Principal struct {
	AccountID     string
	KeyID         string
	KeyName       string
	OwnerID       string
	Administrator bool

	digest [sha256.Size]byte // of the secret that was shown
}

// lastUsedPrecision keeps a busy key from costing a write per request.
const lastUsedPrecision = time.Minute

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
		KeyName:       key.Name,
		OwnerID:       key.Owner,
		Administrator: slices.Contains(key.Groups, account.AdministratorsGroup),
		digest:        [sha256.Size]byte(key.Digest),
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
