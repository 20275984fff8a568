package cloud

import (
	"context"
	"sync"
)

// maxKnownCertificates bounds what is remembered; when there are more, those
// remembered before are forgotten.
const maxKnownCertificates = 1000

// certificateCache remembers trusted certificates by fingerprint: hundreds of
// devices present the same one, twice in each bootstrap. What it remembers
// counts as long as the store has the same version, which is asked each time.
type certificateCache struct {
	mu    sync.Mutex
	known map[string]*TrustedCertificate
}

func (c *certificateCache) find(fingerprint string, version CertificateVersion) *TrustedCertificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[fingerprint]; known != nil && known.version() == version {
		return known
	}
	return nil
}

func (c *certificateCache) remember(certificate *TrustedCertificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxKnownCertificates {
		c.known = map[string]*TrustedCertificate{}
	}
	c.known[certificate.Fingerprint] = certificate
}

// presentedCertificate finds a trusted certificate by its fingerprint. It is
// shared: nobody may change it.
func (s *Service) presentedCertificate(ctx context.Context, fingerprint string) (*TrustedCertificate, error) {
	version, err := s.store.CertificateVersion(ctx, fingerprint)
	if err != nil {
		return nil, err
	}
	if known := s.certificates.find(fingerprint, version); known != nil {
		return known, nil
	}
	certificate, err := s.store.CertificateByFingerprint(ctx, fingerprint)
	if err == nil {
		s.certificates.remember(certificate)
	}
	return certificate, err
}

func (c *TrustedCertificate) version() CertificateVersion { return CertificateVersion{c.ID, c.Version} }
