package cloud

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// SharedKey is the pre-shared key by which one device bootstraps. Its identity
// in the handshake is the device's endpoint name.
type SharedKey struct {
	ID           string
	AccountID    string
	EndpointName string // unique in the whole service: a handshake names no account
	SealedSecret []byte
	CreatedAt    time.Time
}

var (
	sharedKeyName   = regexp.MustCompile(`^[ -~]{16,64}$`)
	sharedKeySecret = regexp.MustCompile(`^(?:0[xX])?((?:[0-9a-fA-F]{2}){16,32})$`)
)

// The fields of a pre-shared key that a refusal can be about.
const (
	SharedKeyNameField   = "endpoint_name"
	SharedKeySecretField = "secret_hex"
)

// AddSharedKey takes in the pre-shared key of a device. It returns ErrInvalid
// with one FieldProblem for each field that is wrong, ErrConflict if the
// endpoint name has one.
func (s *Service) AddSharedKey(ctx context.Context, who Principal, endpointName, secretHex string) error {
	secret, err := checkSharedKey(endpointName, secretHex)
	if err != nil {
		return err
	}
	key := &SharedKey{
		ID:           s.ids.New(),
		AccountID:    who.AccountID,
		EndpointName: endpointName,
		SealedSecret: s.sealKey.Seal(secret, sharedKeyLabel(endpointName)),
		CreatedAt:    s.now(),
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if err := w.InsertSharedKey(ctx, key); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "add pre-shared key", key.ID))
	})
	if errors.Is(err, ErrConflict) {
		return refuseTaken(SharedKeyNameField, "the endpoint name has a pre-shared key already; delete it first")
	}
	return err
}

func checkSharedKey(endpointName, secretHex string) (secret []byte, err error) {
	refusal := &Refusal{Kind: ErrInvalid, Message: "the pre-shared key is not valid"}
	if !sharedKeyName.MatchString(endpointName) {
		refusal.Fields = append(refusal.Fields, FieldProblem{SharedKeyNameField, "is not 16 to 64 printable ASCII characters"})
	}
	match := sharedKeySecret.FindStringSubmatch(secretHex)
	if match == nil {
		refusal.Fields = append(refusal.Fields, FieldProblem{SharedKeySecretField, "is not 32 to 64 hexadecimal digits, two a byte"})
	}
	if len(refusal.Fields) > 0 {
		return nil, refusal
	}
	return hex.DecodeString(strings.ToLower(match[1]))
}

func sharedKeyLabel(endpointName string) string { return "pre-shared key " + endpointName }

// SharedKey reads a pre-shared key, whose secret never leaves the service.
func (s *Service) SharedKey(ctx context.Context, who Principal, endpointName string) (*SharedKey, error) {
	if !sharedKeyName.MatchString(endpointName) {
		return nil, RefuseField(SharedKeyNameField, "is not 16 to 64 printable ASCII characters")
	}
	key, err := s.store.SharedKey(ctx, endpointName)
	if err == nil && key.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return key, err
}

// SharedKeys lists the account's pre-shared keys.
func (s *Service) SharedKeys(ctx context.Context, who Principal, query Query) (Page[*SharedKey], error) {
	return s.store.SharedKeys(ctx, who.AccountID, query)
}

// DeleteSharedKey deletes a pre-shared key, or does nothing if there is none.
// The device cannot bootstrap any more; what it has got stays in force, since
// that is also how a key is replaced.
func (s *Service) DeleteSharedKey(ctx context.Context, who Principal, endpointName string) error {
	key, err := s.SharedKey(ctx, who, endpointName)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(w Writer) error {
		if err := w.DeleteSharedKey(ctx, key.ID); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "delete pre-shared key", key.ID))
	})
}

// BootstrapKey finds the pre-shared key of an identity, for the handshake. It
// returns ErrUnauthorized if there is none.
func (s *Service) BootstrapKey(ctx context.Context, identity string) ([]byte, error) {
	key, err := s.sharedKey(ctx, identity)
	if err != nil {
		return nil, err
	}
	secret, err := s.sealKey.Open(key.SealedSecret, sharedKeyLabel(identity))
	if err != nil {
		return nil, fmt.Errorf("cannot open the pre-shared key of %s: %w", identity, err)
	}
	return secret, nil
}

// sharedKeyProof is what the holder of a pre-shared key has proved in a
// handshake that began at a time. A key made later need not be the one it has
// proved to hold.
func (s *Service) sharedKeyProof(ctx context.Context, identity string, since time.Time) (*proof, error) {
	key, err := s.sharedKey(ctx, identity)
	if err != nil {
		return nil, err
	}
	if !since.IsZero() && key.CreatedAt.After(since) {
		return nil, Refuse(ErrUnauthorized, "the pre-shared key was replaced")
	}
	return &proof{key: key, accountID: key.AccountID, endpointName: key.EndpointName, executionMode: FactoryMode}, nil
}

func (s *Service) sharedKey(ctx context.Context, identity string) (*SharedKey, error) {
	if !sharedKeyName.MatchString(identity) {
		return nil, Refuse(ErrUnauthorized, "the identity is not one of a pre-shared key")
	}
	key, err := s.store.SharedKey(ctx, identity)
	if errors.Is(err, ErrNotFound) {
		return nil, Refuse(ErrUnauthorized, "there is no pre-shared key of this identity")
	}
	return key, err
}
