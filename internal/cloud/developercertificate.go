package cloud

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"mbl/internal/credential"
	"mbl/internal/pki"
	"mbl/internal/secret"
)

const maxCertificateDescription = 500

// DeveloperCertificate is a developer certificate together with the secrets
// a developer puts on devices.
type DeveloperCertificate struct {
	TrustedCertificate
	PrivateKey secret.Text // PEM, PKCS#8
	Source     secret.Text // the C file mbed_cloud_dev_credentials.c
}

// CreateDeveloperCertificate makes a developer certificate and its key. It
// returns ErrConflict if the name is taken and ErrLimit if the account has
// its number of certificates.
func (s *Service) CreateDeveloperCertificate(ctx context.Context, who Principal, name, description string) (*DeveloperCertificate, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkDescription(description, maxCertificateDescription); err != nil {
		return nil, err
	}
	made, err := s.makeDeveloperCertificate(who)
	if err != nil {
		return nil, err
	}
	made.Name, made.Description = name, description
	err = s.store.Update(ctx, func(w Writer) error {
		if err := s.checkCertificateLimit(ctx, w, who.AccountID); err != nil {
			return err
		}
		auditNew(ctx, made.ID)
		return w.InsertCertificate(ctx, made)
	})
	if errors.Is(err, ErrConflict) {
		return nil, refuseTaken("name", "a certificate of this name exists already")
	}
	if err != nil {
		return nil, err
	}
	return s.withSecrets(made)
}

func (s *Service) makeDeveloperCertificate(who Principal) (*TrustedCertificate, error) {
	now := s.now()
	id, endpointName := s.ids.New(), s.ids.New()
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	der, err := pki.SelfSignDeveloper(key, who.AccountID, endpointName, now)
	if err != nil {
		return nil, fmt.Errorf("cannot make a developer certificate: %w", err)
	}
	made, err := newTrusted(who, id, der, now)
	if err != nil {
		return nil, err
	}
	made.SealedKey, err = s.sealPrivateKey(key, certificateLabel(id))
	return made, err
}

// newTrusted describes a bootstrap certificate that this service has just made,
// in force at once.
func newTrusted(who Principal, id string, der []byte, now time.Time) (*TrustedCertificate, error) {
	parsed, err := pki.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &TrustedCertificate{
		ID:            id,
		AccountID:     who.AccountID,
		OwnerID:       who.OwnerID,
		Service:       BootstrapService,
		ExecutionMode: DeveloperMode,
		Active:        true,
		Certificate:   der,
		Fingerprint:   fingerprint(der),
		Subject:       parsed.Subject.String(),
		Issuer:        parsed.Issuer.String(),
		NotBefore:     parsed.NotBefore,
		NotAfter:      parsed.NotAfter,
		EndpointName:  parsed.Subject.CommonName,
		Version:       1,
		CreatedAt:     now,
		UpdatedAt:     now,
	}, nil
}

func (s *Service) checkCertificateLimit(ctx context.Context, r Reader, accountID string) error {
	limit := s.limits.CertificatesPerAccount
	if limit == 0 {
		return nil
	}
	count, err := r.CountCertificates(ctx, accountID)
	if err != nil {
		return err
	}
	if count >= limit {
		return Refuse(ErrLimit, "the account has its %d certificates; delete one first", limit)
	}
	return nil
}

// DeveloperCertificate reads a developer certificate with its private key,
// which is recorded. It returns ErrNotFound for other certificates.
func (s *Service) DeveloperCertificate(ctx context.Context, who Principal, id string) (*DeveloperCertificate, error) {
	certificate, err := ownCertificate(ctx, s.store, who, id)
	if err != nil {
		return nil, err
	}
	if certificate.ExecutionMode != DeveloperMode || certificate.OfOneDevice() {
		return nil, ErrNotFound
	}
	record := s.auditRecord(who, "read developer private key", id)
	err = s.store.Update(ctx, func(w Writer) error { return w.InsertAuditRecord(ctx, record) })
	if err != nil {
		return nil, fmt.Errorf("cannot record the reading of a private key: %w", err)
	}
	return s.withSecrets(certificate)
}

func (s *Service) withSecrets(certificate *TrustedCertificate) (*DeveloperCertificate, error) {
	der, err := s.sealKey.Open(certificate.SealedKey, certificateLabel(certificate.ID))
	if err != nil {
		return nil, fmt.Errorf("cannot open the private key of certificate %s: %w", certificate.ID, err)
	}
	developer := credential.Developer{
		EndpointName:        certificate.EndpointName,
		AccountID:           certificate.AccountID,
		ServerURI:           s.bootstrapURI(certificate.AccountID),
		DeviceCertificate:   certificate.Certificate,
		ServerCACertificate: s.authorities[BootstrapAuthority].record.Certificate,
		PrivateKey:          der,
		Manufacturer:        "dev_manufacturer",
		ModelNumber:         "dev_model_num",
		SerialNumber:        "0",
		DeviceType:          "dev_device_type",
		HardwareVersion:     "dev_hardware_version",
	}
	return &DeveloperCertificate{
		TrustedCertificate: *certificate,
		PrivateKey:         secret.New(pki.PrivateKeyPEM(der)),
		Source:             secret.New(string(developer.Source())),
	}, nil
}

func certificateLabel(id string) string { return "developer certificate " + id }

func fingerprint(der []byte) string {
	sum := pki.Fingerprint(der)
	return hex.EncodeToString(sum[:])
}

// colonHex is the other way to write a fingerprint, AB:CD:…, as device keys are.
func colonHex(fingerprint string) string {
	var text strings.Builder
	for i := 0; i+2 <= len(fingerprint); i += 2 {
		if i > 0 {
			text.WriteByte(':')
		}
		text.WriteString(strings.ToUpper(fingerprint[i : i+2]))
	}
	return text.String()
}
