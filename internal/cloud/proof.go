package cloud

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"mbl/internal/pki"
)

// proof is what a device proved in the handshake, and what follows from it.
type proof struct {
	certificate   *TrustedCertificate // by which it may come; nil with a pre-shared key
	key           *SharedKey          // nil with a certificate
	claim         *Enrollment         // of an authority in enrollment mode
	accountID     string
	endpointName  string
	executionMode int
	notAfter      time.Time // of what the device itself has; zero: never
}

// ofOneDevice tells whether only one device has the credential, so that the
// device need not say who it is. Hundreds share a developer certificate.
func (p *proof) ofOneDevice() bool {
	return p.executionMode != DeveloperMode || p.certificate.OfOneDevice()
}

// certificateID is empty with a pre-shared key.
func (p *proof) certificateID() string {
	if p.certificate == nil {
		return ""
	}
	return p.certificate.ID
}

func (p *proof) issuerFingerprint() string {
	if p.certificate == nil {
		return ""
	}
	return p.certificate.Fingerprint
}

// fits tells whether a device came with this credential, or with the one that it
// replaces.
func (p *proof) fits(device *Device) bool {
	if p.executionMode == DeveloperMode && !p.certificate.OfOneDevice() {
		return device.CertificateID == p.certificate.ID
	}
	return device.AccountID == p.accountID && device.EndpointName == p.endpointName && device.ExecutionMode == p.executionMode &&
		(p.executionMode == DeveloperMode || device.CertificateID == p.certificateID() ||
			p.certificate != nil && device.IssuerFingerprint == p.issuerFingerprint())
}

// holder is the device that has the credential, nil if none has bootstrapped
// with it yet. The endpoint names of single devices' certificates are made here and
// never twice; an authority gives each of its own once. An authority that was
// deleted and uploaded again has another id, but is the same certificate.
func (p *proof) holder(ctx context.Context, r Reader) (*Device, error) {
	if p.executionMode == DeveloperMode {
		return p.named(ctx, r)
	}
	device, err := p.named(ctx, r, where("ca_id", p.certificateID()))
	if device != nil || err != nil || p.certificate == nil {
		return device, err
	}
	return p.named(ctx, r, where("issuer_fingerprint", p.issuerFingerprint()))
}

// named finds a device of the endpoint name that meets further conditions; nil
// if there is none.
func (p *proof) named(ctx context.Context, r Reader, further ...Condition) (*Device, error) {
	page, err := r.Devices(ctx, p.accountID, Query{Limit: 1, Conditions: append([]Condition{
		where("endpoint_name", p.endpointName),
		where("device_execution_mode", int64(p.executionMode)),
	}, further...)})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0], nil
}

// checkVacant wants a credential of one device that no device has used yet.
func (p *proof) checkVacant(ctx context.Context, r Reader) error {
	device, err := p.holder(ctx, r)
	if err == nil && device != nil {
		return Refuse(ErrLimit, "the credentials are of one device, which has bootstrapped already")
	}
	return err
}

// checkStanding looks once more whether the credential still counts.
func (p *proof) checkStanding(ctx context.Context, r Reader) error {
	if p.key != nil {
		key, err := r.SharedKey(ctx, p.endpointName)
		if err == nil && key.ID != p.key.ID {
			return Refuse(ErrNotFound, "the pre-shared key was replaced")
		}
		return err
	}
	certificate, err := r.CertificateState(ctx, p.certificate.ID)
	if err == nil && !certificate.Active {
		return Refuse(ErrNotFound, "the certificate is not active any more")
	}
	return err
}

// RecognizeBootstrap tells whether a peer may bootstrap: its certificate is,
// byte for byte, an active certificate that is trusted itself, or was signed, by
// way of the others it presented or directly, by an active authority of an
// account. It is made for the handshake, so that strangers get no further. It
// returns ErrUnauthorized for every other certificate.
func (s *Service) RecognizeBootstrap(ctx context.Context, certificate *x509.Certificate, others []*x509.Certificate, remoteAddr string) error {
	_, err := s.certificateProof(ctx, certificate, others, remoteAddr)
	return err
}

func (s *Service) proofOf(ctx context.Context, request BootstrapRequest) (*proof, error) {
	if request.SharedKey != "" {
		return s.sharedKeyProof(ctx, request.SharedKey, request.Since)
	}
	return s.certificateProof(ctx, request.Certificate, request.Others, request.RemoteAddr)
}

// certificateProof recognises a bootstrap certificate.
func (s *Service) certificateProof(ctx context.Context, presented *x509.Certificate, others []*x509.Certificate, remoteAddr string) (*proof, error) {
	certificate, err := s.trustedFor(ctx, BootstrapService, presented, others)
	if err != nil {
		return nil, err
	}
	proved, err := proofBy(certificate, presented)
	if err != nil {
		return nil, err
	}
	var refusal *Refusal
	err = s.checkInForce(ctx, certificate)
	if err == nil {
		err = s.applyClaim(ctx, proved, presented)
	}
	if errors.As(err, &refusal) {
		return nil, s.deny(ctx, proved, EventBootstrapRefused, remoteAddr, refusal)
	}
	if err != nil {
		return nil, err
	}
	return proved, nil
}

// checkInForce wants a bootstrap certificate that counts now.
func (s *Service) checkInForce(ctx context.Context, certificate *TrustedCertificate) error {
	if err := checkDeveloperAbove(ctx, s.store, certificate); err != nil {
		return err
	}
	if !certificate.Active || !certificate.ValidAt(s.now()) {
		return Refuse(ErrUnauthorized, "the bootstrap certificate is not active or not valid")
	}
	return nil
}

// proofBy is what a certificate proves that another makes trusted.
func proofBy(trusted *TrustedCertificate, presented *x509.Certificate) (*proof, error) {
	proved := &proof{
		certificate:   trusted,
		accountID:     trusted.AccountID,
		endpointName:  trusted.EndpointName,
		executionMode: trusted.ExecutionMode,
		notAfter:      trusted.NotAfter,
	}
	if !trusted.IsAuthority() {
		return proved, nil
	}
	proved.endpointName, proved.notAfter = presented.Subject.CommonName, presented.NotAfter
	if err := checkEndpointName("certificate", proved.endpointName); err != nil {
		return nil, Refuse(ErrUnauthorized, "%v", err)
	}
	return proved, nil
}

// trustedFor finds what makes a certificate trusted for a service: the same
// certificate, or else an authority above it. Whether that is active is not
// looked at.
func (s *Service) trustedFor(ctx context.Context, service string, presented *x509.Certificate, others []*x509.Certificate) (*TrustedCertificate, error) {
	certificate, err := s.presentedCertificate(ctx, fingerprint(presented.Raw))
	if err == nil && certificate.IsAuthority() {
		return nil, Refuse(ErrUnauthorized, "an authority is no device")
	}
	if err == nil && certificate.Service == service {
		return certificate, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	for _, subject := range issuersOf(presented, others) {
		authorities, err := s.store.Authorities(ctx, subject)
		if err != nil {
			return nil, err
		}
		for _, authority := range authorities {
			if authority.Service == service && s.issuedBy(authority, presented, others) {
				return authority, nil
			}
		}
	}
	return nil, Refuse(ErrUnauthorized, "the certificate is not a %s certificate of this service", service)
}

// issuersOf are the hashes of the subjects that an authority above a chain may
// have.
func issuersOf(presented *x509.Certificate, others []*x509.Certificate) []string {
	subjects := []string{subjectHash(presented.RawIssuer)}
	for _, other := range others[:min(len(others), pki.MaxChain)] {
		if hash := subjectHash(other.RawIssuer); !slices.Contains(subjects, hash) {
			subjects = append(subjects, hash)
		}
	}
	return subjects
}

func (s *Service) issuedBy(authority *TrustedCertificate, presented *x509.Certificate, others []*x509.Certificate) bool {
	parsed, err := pki.ParseCertificate(authority.Certificate)
	return err == nil && pki.VerifyClient(presented, others, parsed, s.now()) == nil
}
