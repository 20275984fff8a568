package cloud

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mbl/internal/pki"
)

// LwM2MService is the service of certificates by which devices register
// without a bootstrap.
const LwM2MService = "lwm2m"

// FactoryMode is the device execution mode of uploaded certificates and of the
// devices that came with one, or with a pre-shared key.
const FactoryMode = 0

// maxEndpointName bounds a common name: what a device's buffers hold.
const maxEndpointName = 64

// CertificateUpload is a certificate that a user wants trusted: a certificate
// authority, whose devices may come, or the certificate of a single device.
type CertificateUpload struct {
	Name           string
	Description    string
	Service        string // BootstrapService or LwM2MService
	Certificate    string // PEM; the trusted one comes last, after those above it
	Signature      string // base64 of a signature of the account id by the certificate's key; may be empty
	EnrollmentMode bool
	Active         bool
}

// CertificateChanges are what a user may change of a trusted certificate; nil
// leaves a field as it is. Of a certificate that was made here, only the name,
// the description and whether it is active.
type CertificateChanges struct {
	Name           *string
	Description    *string
	Service        *string
	Certificate    *string
	Signature      *string
	EnrollmentMode *bool
	Active         *bool
}

// UploadCertificate takes a certificate in. It returns ErrInvalid if it cannot
// be used, ErrConflict if the account has one of this name or subject, ErrLimit
// if it has its number of certificates.
func (s *Service) UploadCertificate(ctx context.Context, who Principal, upload CertificateUpload) (*TrustedCertificate, error) {
	now := s.now()
	certificate := &TrustedCertificate{
		ID:             s.ids.New(),
		AccountID:      who.AccountID,
		OwnerID:        who.OwnerID,
		Name:           upload.Name,
		Description:    upload.Description,
		Service:        upload.Service,
		ExecutionMode:  FactoryMode,
		EnrollmentMode: upload.EnrollmentMode,
		Active:         upload.Active,
		CreatedAt:      now,
	}
	if err := s.takeUploaded(certificate, upload.Certificate, upload.Signature); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(w Writer) error {
		if err := s.checkCertificateLimit(ctx, w, who.AccountID); err != nil {
			return err
		}
		if err := s.settle(ctx, w, certificate); err != nil {
			return err
		}
		if err := w.InsertCertificate(ctx, certificate); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "upload trusted certificate", certificate.ID))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot upload a certificate: %w", err)
	}
	return certificate, nil
}

// UpdateTrustedCertificate changes a certificate. What is not active lets no
// device bootstrap; devices that have bootstrapped stay. By an LwM2M certificate
// that is not active no device registers: those that have lose their
// registrations and sessions. Its errors are those of UploadCertificate,
// ErrNotFound, and ErrForbidden for an uploaded certificate if the caller is no
// administrator.
func (s *Service) UpdateTrustedCertificate(ctx context.Context, who Principal, id string, changes CertificateChanges) (*TrustedCertificate, error) {
	var certificate *TrustedCertificate
	var cut cutOff
	err := s.store.Update(ctx, func(w Writer) (err error) {
		if certificate, err = ownCertificate(ctx, w, who, id); err != nil {
			return err
		}
		if err := checkMayManage(who, certificate); err != nil {
			return err
		}
		if err := s.applyChanges(certificate, changes); err != nil {
			return err
		}
		if err := s.settle(ctx, w, certificate); err != nil {
			return err
		}
		if err := w.UpdateCertificate(ctx, certificate); err != nil {
			return err
		}
		if certificate.Service == LwM2MService && !certificate.Active {
			if err := s.endRegistrationsUnder(ctx, w, certificate, &cut); err != nil {
				return err
			}
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "change trusted certificate", id))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot change a certificate: %w", err)
	}
	s.disconnect(cut)
	return certificate, nil
}

// checkMayManage leaves what was uploaded to those who may upload.
func checkMayManage(who Principal, certificate *TrustedCertificate) error {
	if certificate.ExecutionMode != DeveloperMode && !who.Administrator {
		return Refuse(ErrForbidden, "only administrators change or delete uploaded certificates")
	}
	return nil
}

func (s *Service) applyChanges(certificate *TrustedCertificate, changes CertificateChanges) error {
	setIfGiven(&certificate.Name, changes.Name)
	setIfGiven(&certificate.Description, changes.Description)
	setIfGiven(&certificate.Active, changes.Active)
	if certificate.ExecutionMode == DeveloperMode {
		return changes.checkDeveloper(certificate)
	}
	setIfGiven(&certificate.Service, changes.Service)
	setIfGiven(&certificate.EnrollmentMode, changes.EnrollmentMode)
	if changes.Certificate == nil {
		return nil
	}
	signature := ""
	setIfGiven(&signature, changes.Signature)
	return s.takeUploaded(certificate, *changes.Certificate, signature)
}

// checkDeveloper refuses what would make something else of a certificate that
// was made here. Clients send unchanged fields along.
func (c CertificateChanges) checkDeveloper(certificate *TrustedCertificate) error {
	switch {
	case c.Service != nil && *c.Service != certificate.Service:
		return RefuseField("service", "cannot be changed for a developer certificate")
	case c.EnrollmentMode != nil && *c.EnrollmentMode != certificate.EnrollmentMode:
		return RefuseField("enrollment_mode", "cannot be changed for a developer certificate")
	case c.Certificate != nil && strings.TrimSpace(*c.Certificate) != strings.TrimSpace(pki.CertificatePEM(certificate.Certificate)):
		return RefuseField("certificate", "cannot be changed for a developer certificate")
	}
	return nil
}

func setIfGiven[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}

// settle checks what is common to all that is uploaded or changed, and that it
// gets in nobody's way.
func (s *Service) settle(ctx context.Context, r Reader, certificate *TrustedCertificate) error {
	if err := checkName(certificate.Name); err != nil {
		return err
	}
	if err := checkDescription(certificate.Description, maxCertificateDescription); err != nil {
		return err
	}
	if certificate.Service != BootstrapService && certificate.Service != LwM2MService {
		return RefuseField("service", "is neither %s nor %s", BootstrapService, LwM2MService)
	}
	certificate.Version++
	certificate.UpdatedAt = s.now()
	return checkTaken(ctx, r, certificate)
}

// checkTaken finds another certificate of the same name, subject or content.
func checkTaken(ctx context.Context, r Reader, certificate *TrustedCertificate) error {
	for _, unique := range []struct{ field, value, column string }{
		{"name", certificate.Name, "name"},
		{"certificate", certificate.Subject, "subject"},
	} {
		if unique.column == "subject" && certificate.ExecutionMode == DeveloperMode {
			continue // made here; those of one device have one name in turn
		}
		page, err := r.Certificates(ctx, certificate.AccountID, Query{Limit: 1, Conditions: []Condition{
			where(unique.column, unique.value),
			{Field: "id", Operator: NotEqual, Values: []any{certificate.ID}},
		}})
		if err != nil {
			return err
		}
		if len(page.Items) > 0 {
			return refuseTaken(unique.field, "a certificate of this %s exists already", unique.column)
		}
	}
	same, err := r.CertificateByFingerprint(ctx, certificate.Fingerprint)
	if err == nil && same.ID != certificate.ID {
		return refuseTaken("certificate", "the certificate is trusted already")
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func refuseTaken(field, format string, args ...any) error {
	return &Refusal{
		Kind:    ErrConflict,
		Message: fmt.Sprintf(format, args...),
		Fields:  []FieldProblem{{Name: field, Message: "is taken"}},
	}
}

// takeUploaded reads a certificate in PEM into the fields that follow from it.
func (s *Service) takeUploaded(certificate *TrustedCertificate, text, signature string) error {
	if strings.TrimSpace(text) == "" {
		return RefuseField("certificate", "is missing")
	}
	chain, err := pki.ParseChainPEM([]byte(text))
	if err != nil {
		return RefuseField("certificate", "cannot be used: %v", err)
	}
	parsed := chain[len(chain)-1]
	if err := s.checkUploaded(chain); err != nil {
		return err
	}
	if err := checkPossession(parsed, certificate.AccountID, signature); err != nil {
		return err
	}
	certificate.Certificate = parsed.Raw
	certificate.Fingerprint = fingerprint(parsed.Raw)
	certificate.Subject, certificate.Issuer = parsed.Subject.String(), parsed.Issuer.String()
	certificate.NotBefore, certificate.NotAfter = parsed.NotBefore, parsed.NotAfter
	certificate.EndpointName, certificate.AuthoritySubject = parsed.Subject.CommonName, ""
	if parsed.IsCA {
		certificate.EndpointName, certificate.AuthoritySubject = "", subjectHash(parsed.RawSubject)
	}
	return nil
}

func (s *Service) checkUploaded(chain []*x509.Certificate) error {
	for i, above := range chain[:len(chain)-1] {
		if err := chain[i+1].CheckSignatureFrom(above); err != nil {
			return RefuseField("certificate", "is no chain from root to leaf: number %d did not sign number %d", i+1, i+2)
		}
	}
	parsed := chain[len(chain)-1]
	switch {
	case s.now().After(parsed.NotAfter):
		return RefuseField("certificate", "has expired")
	case parsed.Subject.String() == "":
		return RefuseField("certificate", "has no subject")
	case pki.IsSelfIssued(parsed) && parsed.CheckSignature(parsed.SignatureAlgorithm, parsed.RawTBSCertificate, parsed.Signature) != nil:
		return RefuseField("certificate", "is not signed by its own key, as it says")
	case !printable(parsed.Subject.String()) || !printable(parsed.Issuer.String()):
		return RefuseField("certificate", "has a name with control characters")
	case parsed.IsCA && parsed.KeyUsage != 0 && parsed.KeyUsage&x509.KeyUsageCertSign == 0:
		return RefuseField("certificate", "is of an authority that may not sign certificates")
	case !parsed.IsCA:
		return checkEndpointName("certificate", parsed.Subject.CommonName)
	}
	return nil
}

// checkEndpointName checks a common name that becomes an endpoint name.
func checkEndpointName(field, name string) error {
	switch {
	case name == "":
		return RefuseField(field, "has no common name (CN), which is the device's endpoint name")
	case len(name) > maxEndpointName || utf8.RuneCountInString(name) > maxEndpointName:
		return RefuseField(field, "has a common name of more than %d bytes", maxEndpointName)
	case !printable(name):
		return RefuseField(field, "has a common name with control characters")
	}
	return nil
}

// checkPossession checks the signature by which older clients prove that they
// hold the certificate's key.
func checkPossession(certificate *x509.Certificate, accountID, signature string) error {
	if signature == "" {
		return nil
	}
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !pki.CheckSignature(certificate, []byte(accountID), der) {
		return RefuseField("signature", "is not the base64 of a signature (SHA-256) of the account id by the certificate's key")
	}
	return nil
}

// subjectHash finds an authority by its subject in DER.
func subjectHash(subject []byte) string {
	sum := sha256.Sum256(subject)
	return hex.EncodeToString(sum[:])
}
