package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"mbl/internal/objectid"
)

// Limitation is one of the numbers an account may not pass, as the API lists
// them.
type Limitation struct {
	ID          string
	Name        string
	Description string
	Limit       int
	Since       time.Time
}

// LimitationFields may be filtered in lists of limitations.
func LimitationFields() Fields {
	return Fields{"inherited": {Kind: Boolean, Operators: []Operator{Equal}}}
}

// Limitations lists the limits in force; what has no limit is not listed.
func (s *Service) Limitations(ctx context.Context, who Principal, query Query) (Page[*Limitation], error) {
	all, err := s.limitations(ctx, who)
	if err != nil {
		return Page[*Limitation]{}, err
	}
	notInherited := func(*Limitation, string) any { return false }
	return listed(all, query, func(l *Limitation) string { return l.ID }, notInherited), nil
}

// Limitation reads a limit in force.
func (s *Service) Limitation(ctx context.Context, who Principal, id string) (*Limitation, error) {
	all, err := s.limitations(ctx, who)
	if err != nil {
		return nil, err
	}
	for _, limitation := range all {
		if limitation.ID == id {
			return limitation, nil
		}
	}
	return nil, ErrNotFound
}

func (s *Service) limitations(ctx context.Context, who Principal) ([]*Limitation, error) {
	account, err := s.Account(ctx, who)
	if err != nil {
		return nil, err
	}
	var all []*Limitation
	for _, limit := range []Limitation{
		{Name: "developer_certificate_devices", Description: "Devices that may come with one developer certificate", Limit: s.limits.DevicesPerCertificate},
		{Name: "trusted_certificates", Description: "Trusted certificates, developer certificates among them", Limit: s.limits.CertificatesPerAccount},
	} {
		if limit.Limit == 0 {
			continue
		}
		digest := sha256.Sum256([]byte(account.ID + limit.Name))
		limit.ID = hex.EncodeToString(digest[:])[:objectid.Length]
		limit.Since = account.CreatedAt
		all = append(all, &limit)
	}
	return all, nil
}
