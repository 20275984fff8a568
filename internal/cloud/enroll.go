package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mbl/internal/pki"
)

// IssuerConfiguration says who makes the LwM2M certificates of an account's
// devices, and with that who makes their keys. Its id is the account's.
type IssuerConfiguration struct {
	AccountID string
	// IssuerID is empty where the service makes key and certificate. Where it
	// names the service's device authority as an issuer, devices that can make
	// their own key, and get that certified (EST).
	IssuerID  string
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// CertificateIssuer is what can be named as an issuer.
type CertificateIssuer struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// CertificateIssuer is the one issuer there is: the authority of devices.
func (s *Service) CertificateIssuer() CertificateIssuer {
	record := s.authorities[DeviceAuthority].record
	return CertificateIssuer{ID: record.ID, Name: commonNames[DeviceAuthority], CreatedAt: record.CreatedAt}
}

// IssuerConfiguration reads the account's configuration.
func (s *Service) IssuerConfiguration(ctx context.Context, who Principal) (*IssuerConfiguration, error) {
	return s.issuerConfiguration(ctx, s.store, who.AccountID)
}

// issuerConfiguration is the one of the beginning where none was set.
func (s *Service) issuerConfiguration(ctx context.Context, r Reader, accountID string) (*IssuerConfiguration, error) {
	configuration, err := r.IssuerConfiguration(ctx, accountID)
	if !errors.Is(err, ErrNotFound) {
		return configuration, err
	}
	account, err := r.Account(ctx, accountID)
	if err != nil {
		return nil, err
	}
	return &IssuerConfiguration{AccountID: accountID, Version: 1, CreatedAt: account.CreatedAt, UpdatedAt: account.CreatedAt}, nil
}

// SetIssuer changes the account's configuration, for the bootstraps to come. It
// returns ErrInvalid for an issuer that does not exist.
func (s *Service) SetIssuer(ctx context.Context, who Principal, issuerID string) (configuration *IssuerConfiguration, err error) {
	if issuerID != "" && issuerID != s.CertificateIssuer().ID {
		return nil, RefuseField("certificate_issuer_id", "is not an issuer of this service")
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if configuration, err = s.issuerConfiguration(ctx, w, who.AccountID); err != nil {
			return err
		}
		configuration.IssuerID, configuration.UpdatedAt = issuerID, s.now()
		configuration.Version++
		if err := w.SaveIssuerConfiguration(ctx, configuration); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "configure certificate issuer", who.AccountID))
	})
	return configuration, err
}

// enrolls tells whether a device is to make its key itself.
func (s *Service) enrolls(ctx context.Context, request BootstrapRequest, accountID string) (bool, error) {
	if !request.Enrolls {
		return false, nil
	}
	configuration, err := s.store.IssuerConfiguration(ctx, accountID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return configuration.IssuerID != "", nil
}

// Enroll certifies the key of a device that has been told by a grant to make
// one, and puts the grant in force. request is the device's certificate request
// in DER; its names must be those of the grant. It returns the certificate in
// DER, ErrInvalid for an unusable request, and the errors of BootstrapFinished.
func (s *Service) Enroll(ctx context.Context, grant *BootstrapGrant, request []byte) ([]byte, error) {
	key, name, err := pki.RequestedDevice(request)
	if err != nil {
		return nil, RefuseField("certificate request", "cannot be used: %v", err)
	}
	if name != (pki.DeviceName{AccountID: grant.AccountID, EndpointName: grant.EndpointName, DeviceID: grant.DeviceID}) {
		return nil, RefuseField("certificate request", "is not for the names that were granted")
	}
	certified := *grant
	if err := s.certify(&certified, key); err != nil {
		return nil, err
	}
	if err := s.BootstrapFinished(ctx, &certified); err != nil {
		return nil, fmt.Errorf("cannot enroll a device: %w", err)
	}
	return certified.DeviceCertificate, nil
}
