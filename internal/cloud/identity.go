package cloud

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"mbl/internal/pki"
)

// identityYears is how long one device's own bootstrap certificate is valid:
// as long as a developer certificate.
const identityYears = 10

// identityPage is how many certificates are read from the store at once.
const identityPage = 500

// IdentityRequest asks for the bootstrap certificate of one device.
type IdentityRequest struct {
	DeveloperCertificateID string // it hangs under this one
	CertificateRequest     string // PKCS#10 in PEM; its key stays with whoever asks
	EndpointName           string // the device's present one, which it keeps if it is known here; may be empty
}

// CreateIdentity signs the bootstrap certificate of one device. It replaces the
// device's earlier one once the device has bootstrapped by it. It returns
// ErrInvalid for an unusable request, ErrNotFound if there is no such developer
// certificate.
func (s *Service) CreateIdentity(ctx context.Context, who Principal, request IdentityRequest) (*TrustedCertificate, error) {
	key, err := pki.RequestedKey(request.CertificateRequest)
	if err != nil {
		s.log.DebugContext(ctx, "refused a certificate request", "error", err)
		return nil, RefuseField("certificate_request", "is not a PEM certificate request, signed with its P-256 key")
	}
	var made *TrustedCertificate
	err = s.store.Update(ctx, func(w Writer) error {
		developer, err := s.developerInForce(ctx, w, who, request.DeveloperCertificateID)
		if err != nil {
			return err
		}
		endpointName, err := s.identityName(ctx, w, developer, request.EndpointName)
		if err != nil {
			return err
		}
		if made, err = s.signIdentity(who, developer, endpointName, key); err != nil {
			return err
		}
		auditNew(ctx, made.ID)
		return w.InsertCertificate(ctx, made)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot sign a device's certificate: %w", err)
	}
	return made, nil
}

// developerInForce is the developer certificate that another may hang under.
func (s *Service) developerInForce(ctx context.Context, r Reader, who Principal, id string) (*TrustedCertificate, error) {
	developer, err := ownCertificate(ctx, r, who, id)
	if err != nil {
		return nil, err
	}
	if developer.OfOneDevice() || developer.ExecutionMode != DeveloperMode || !developer.Active || !developer.ValidAt(s.now()) {
		return nil, RefuseField("developer_certificate_id", "is not a developer certificate in force")
	}
	return developer, nil
}

// identityName is the endpoint name of a device's next certificate: a new one
// unless the device has one under the same developer certificate.
func (s *Service) identityName(ctx context.Context, r Reader, developer *TrustedCertificate, present string) (string, error) {
	if present == "" {
		return s.ids.New(), nil
	}
	known, err := r.Certificates(ctx, developer.AccountID, Query{Limit: 1, Conditions: identitiesNamed(developer.ID, present)})
	if err != nil {
		return "", err
	}
	if len(known.Items) == 0 {
		return s.ids.New(), nil
	}
	return present, nil
}

func (s *Service) signIdentity(who Principal, developer *TrustedCertificate, endpointName string, key *ecdsa.PublicKey) (*TrustedCertificate, error) {
	id, now := s.ids.New(), s.now()
	notAfter := now.AddDate(identityYears, 0, 0)
	der, err := s.authorities[IdentityAuthority].IssueIdentity(who.AccountID, endpointName, key, now, notAfter)
	if err != nil {
		return nil, err
	}
	made, err := newTrusted(who, id, der, now)
	if err != nil {
		return nil, err
	}
	made.Name, made.DeveloperCertificateID = id, developer.ID
	return made, nil
}

// Identities lists the certificates of single devices.
func (s *Service) Identities(ctx context.Context, who Principal, query Query) (Page[*TrustedCertificate], error) {
	single := Condition{Field: "developer_certificate_id", Operator: NotEqual, Values: []any{""}}
	query.Conditions = append([]Condition{single}, query.Conditions...)
	return s.TrustedCertificates(ctx, who, query)
}

func identitiesNamed(developerID, endpointName string) []Condition {
	return []Condition{where("developer_certificate_id", developerID), where("endpoint_name", endpointName)}
}

// checkDeveloperAbove wants the developer certificate in force that a single
// device's hangs under.
func checkDeveloperAbove(ctx context.Context, r Reader, certificate *TrustedCertificate) error {
	if !certificate.OfOneDevice() {
		return nil
	}
	developer, err := r.Certificate(ctx, certificate.DeveloperCertificateID)
	if errors.Is(err, ErrNotFound) || (err == nil && !developer.Active) {
		return Refuse(ErrUnauthorized, "the developer certificate above the device's own is not active")
	}
	return err
}

// dropReplaced deletes the certificates that a device had before the one by
// which it has bootstrapped now; one that was signed later still waits.
func (s *Service) dropReplaced(ctx context.Context, w Writer, certificate *TrustedCertificate) error {
	if certificate == nil || !certificate.OfOneDevice() {
		return nil
	}
	all, err := certificatesThatGoWith(ctx, w, certificate)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID >= certificate.ID { // ids sort by creation time
			continue
		}
		if err := w.RevokeCertificatesUnder(ctx, other.ID, s.now()); err != nil {
			return err
		}
		if err := w.DeleteCertificate(ctx, other.ID); err != nil {
			return err
		}
	}
	return nil
}

// certificatesThatGoWith are those that are revoked together with one, itself
// among them: everything under a developer certificate, and everything signed
// for the same single device.
func certificatesThatGoWith(ctx context.Context, r Reader, certificate *TrustedCertificate) ([]*TrustedCertificate, error) {
	all := []*TrustedCertificate{certificate}
	query := Query{Limit: identityPage, Conditions: []Condition{where("developer_certificate_id", certificate.ID)}}
	if certificate.OfOneDevice() {
		all, query.Conditions = nil, identitiesNamed(certificate.DeveloperCertificateID, certificate.EndpointName)
	}
	for {
		page, err := r.Certificates(ctx, certificate.AccountID, query)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if !page.HasMore {
			return all, nil
		}
		query.After = page.Items[len(page.Items)-1].ID
	}
}
