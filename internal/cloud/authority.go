package cloud

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"mbl/internal/pki"
)

// AuthorityName names one of the service's certificate authorities. They are
// separate so that none can speak for another: a device's certificate is no
// server's, and a bootstrap server is no management server.
type AuthorityName string

// The authorities.
const (
	DeviceAuthority    AuthorityName = "devices"
	BootstrapAuthority AuthorityName = "bootstrap"
	LwM2MAuthority     AuthorityName = "lwm2m"
	HTTPSAuthority     AuthorityName = "https"
	IdentityAuthority  AuthorityName = "identities" // of the certificates by which single devices bootstrap
)

// AuthorityRecord is an authority at rest.
type AuthorityRecord struct {
	ID          string
	Name        AuthorityName
	Certificate []byte // DER
	SealedKey   []byte // PKCS#8, sealed
	CreatedAt   time.Time
}

// ErrSealKey says that the seal key is not the one the stored secrets were
// sealed with, or that they are damaged.
var ErrSealKey = errors.New("the seal key does not open the stored secrets")

// authority is an authority that can issue.
type authority struct {
	pki.Authority
	record *AuthorityRecord
}

type authorities map[AuthorityName]*authority

// commonNames are the subjects of the authorities' certificates.
var commonNames = map[AuthorityName]string{
	DeviceAuthority:    "mbl-cloud device CA",
	BootstrapAuthority: "mbl-cloud bootstrap CA",
	LwM2MAuthority:     "mbl-cloud LwM2M CA",
	HTTPSAuthority:     "mbl-cloud HTTPS CA",
	IdentityAuthority:  "mbl-cloud device identity CA",
}

// prepareAuthorities makes those that are missing and opens all of them.
func (s *Service) prepareAuthorities(ctx context.Context) error {
	opened := authorities{}
	err := s.store.Update(ctx, func(w Writer) error {
		for name := range commonNames {
			record, err := s.authorityRecord(ctx, w, name)
			if err != nil {
				return err
			}
			if opened[name], err = s.openAuthority(record); err != nil {
				return err
			}
		}
		return s.openEarlier(ctx, w, opened)
	})
	if err != nil {
		return fmt.Errorf("cannot open the certificate authorities: %w", err)
	}
	s.authorities = opened
	return nil
}

func (s *Service) authorityRecord(ctx context.Context, w Writer, name AuthorityName) (*AuthorityRecord, error) {
	record, err := w.Authority(ctx, name)
	if !errors.Is(err, ErrNotFound) {
		return record, err
	}
	made, err := pki.NewAuthority(commonNames[name])
	if err != nil {
		return nil, err
	}
	sealedKey, err := s.sealPrivateKey(made.Signer.(*ecdsa.PrivateKey), authorityLabel(name))
	if err != nil {
		return nil, err
	}
	record = &AuthorityRecord{
		ID:          s.ids.New(),
		Name:        name,
		Certificate: made.Certificate.Raw,
		SealedKey:   sealedKey,
		CreatedAt:   s.now(),
	}
	return record, w.InsertAuthority(ctx, record)
}

func (s *Service) openAuthority(record *AuthorityRecord) (*authority, error) {
	certificate, err := pki.ParseCertificate(record.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := s.openPrivateKey(record.SealedKey, authorityLabel(record.Name))
	if err != nil {
		return nil, err
	}
	return &authority{Authority: pki.Authority{Certificate: certificate, Signer: key}, record: record}, nil
}

func authorityLabel(name AuthorityName) string { return "authority " + string(name) }

func (s *Service) sealPrivateKey(key *ecdsa.PrivateKey, label string) ([]byte, error) {
	der, err := pki.MarshalPKCS8(key)
	if err != nil {
		return nil, err
	}
	return s.sealKey.Seal(der, label), nil
}

func (s *Service) openPrivateKey(box []byte, label string) (*ecdsa.PrivateKey, error) {
	der, err := s.sealKey.Open(box, label)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealKey, err)
	}
	return pki.ParsePrivateKey(der)
}

// AuthorityCertificate is an authority's certificate, in DER. It needs no
// Prepare, and returns ErrNotFound before the first one.
func (s *Service) AuthorityCertificate(ctx context.Context, name AuthorityName) ([]byte, error) {
	record, err := s.store.Authority(ctx, name)
	if err != nil {
		return nil, err
	}
	return record.Certificate, nil
}

// ServerCertificate makes a certificate with a fresh key for one of the
// service's own servers, valid from notBefore to notAfter. Servers that
// devices connect to use pki.DistantPast and pki.DistantFuture.
func (s *Service) ServerCertificate(name AuthorityName, hosts []string, notBefore, notAfter time.Time) (tls.Certificate, error) {
	issuer := s.authorities[name]
	key, err := pki.NewKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := issuer.IssueServer("mbl-cloud "+string(name), hosts, &key.PublicKey, notBefore, notAfter)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot issue the %s server's certificate: %w", name, err)
	}
	leaf, err := pki.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
