package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/pki"
)

// Signer is the part of a service that signs the certificates of single
// devices. The original service has none.
type Signer interface {
	CheckDeviceCertificates(ctx context.Context) error
	HasDeviceCertificate(ctx context.Context, developerCertificateID, endpointName string) (bool, error)
	SignDeviceCertificate(ctx context.Context, request cloudapi.DeviceCertificateRequest) (*cloudapi.TrustedCertificate, error)
}

// collectSigner finds out whether the service can sign, and under which
// developer certificate.
func (w *Workstation) collectSigner(ctx context.Context, set *certificates) (err error) {
	if set.service == nil {
		if set.service, err = w.Service(ctx); err != nil {
			return err
		}
	}
	err = set.service.CheckDeviceCertificates(ctx)
	if errors.Is(err, cloudapi.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrCannotSign, err)
	}
	if err != nil || set.plan.Create || set.developerID != "" {
		return err
	}
	return set.findDeveloperID(ctx)
}

// findDeveloperID looks the team store's developer certificate up in the
// service.
func (set *certificates) findDeveloperID(ctx context.Context) error {
	name := set.plan.Certificate
	found, err := set.service.DeveloperCertificateByName(ctx, name)
	if isUnknown(err) {
		return fmt.Errorf("%w: %s", ErrOtherDeveloper, name)
	}
	if err != nil {
		return err
	}
	der, err := pki.DecodeCertificatePEM([]byte(found.Certificate))
	if err != nil || !bytes.Equal(der, set.developer.DeviceCertificate) {
		return fmt.Errorf("%w: %s", ErrOtherDeveloper, name)
	}
	set.developerID = found.ID
	return nil
}

// hasOwn tells whether a device has a certificate of its own under the
// developer certificate.
func (set *certificates) hasOwn(ctx context.Context, state *State) (bool, error) {
	if state == nil || !state.Provisioned || state.Problem != "" || state.AccountID != set.developer.AccountID {
		return false, nil
	}
	return set.service.HasDeviceCertificate(ctx, set.developerID, state.EndpointName)
}

// sign makes credentials for one device: a key made here, and a certificate for
// it that the service signs. The key goes to the device and nowhere else. A
// device that says which name it has keeps it.
func (set *certificates) sign(ctx context.Context, state *State) (own *credential.Developer, certificateID string, err error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, "", err
	}
	private, err := pki.MarshalPKCS8(key)
	if err != nil {
		return nil, "", err
	}
	request := cloudapi.DeviceCertificateRequest{DeveloperCertificateID: set.developerID}
	if request.CertificateRequest, err = pki.NewRequest(key); err != nil {
		return nil, "", err
	}
	if state != nil {
		request.EndpointName = state.EndpointName
	}
	signed, err := set.service.SignDeviceCertificate(ctx, request)
	if err != nil {
		return nil, "", err
	}
	own, err = set.ownCredentials(signed, private)
	if err != nil {
		return nil, "", fmt.Errorf("the device's certificate, as the service sent it: %w", err)
	}
	return own, signed.ID, nil
}

func (set *certificates) ownCredentials(signed *cloudapi.TrustedCertificate, private []byte) (*credential.Developer, error) {
	der, err := pki.DecodeCertificatePEM([]byte(signed.Certificate))
	if err != nil {
		return nil, err
	}
	certificate, err := pki.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	name := pki.DeviceNameOf(certificate)
	if name.AccountID != set.developer.AccountID {
		return nil, fmt.Errorf("it is of the account %q, the developer certificate of %q", name.AccountID, set.developer.AccountID)
	}
	own := *set.developer
	own.EndpointName, own.DeviceCertificate, own.PrivateKey = name.EndpointName, der, private
	return &own, own.Check()
}
