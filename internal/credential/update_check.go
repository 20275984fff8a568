package credential

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"

	"mbl/internal/pki"
)

// Check tells whether a device could use the resources. A fingerprint that is
// absent or all zeros is computed and set. An error is a *CheckError.
// Validity in time is not checked.
func (u *Update) Check() error {
	if err := u.checkIDs(); err != nil {
		return err
	}
	cert, err := u.checkCertificate()
	if err != nil {
		return err
	}
	if err := checkSizes(u.fields()); err != nil {
		return err
	}
	if err := u.checkFingerprint(); err != nil {
		return err
	}
	return u.checkPublicKey(cert)
}

func (u *Update) checkIDs() error {
	if u.VendorID == [16]byte{} {
		return problem(VarVendorID, "it is all zeros")
	}
	if u.ClassID == [16]byte{} {
		return problem(VarClassID, "it is all zeros")
	}
	return nil
}

func (u *Update) checkCertificate() (*x509.Certificate, error) {
	if len(u.Certificate) > pki.MaxUpdateCertificate {
		return nil, problem(VarUpdateCertificate, "it has %d bytes; a device takes at most %d", len(u.Certificate), pki.MaxUpdateCertificate)
	}
	return readCertificate(VarUpdateCertificate, u.Certificate)
}

func (u *Update) checkFingerprint() error {
	u.completeFingerprint()
	sum := pki.Fingerprint(u.Certificate)
	if !bytes.Equal(u.Fingerprint, sum[:]) {
		return problem(VarFingerprint, "it is not the certificate's, which is %x", sum)
	}
	return nil
}

// checkPublicKey: newer clients check updates against the bare key, so it
// must not be another one.
func (u *Update) checkPublicKey(cert *x509.Certificate) error {
	if len(u.PublicKey) == 0 {
		return nil
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return problem(VarUpdateCertificate, "it has no ECDSA key")
	}
	point, err := key.Bytes()
	if err != nil {
		return problem(VarUpdateCertificate, "its public key is invalid")
	}
	if !bytes.Equal(u.PublicKey, point) {
		return problem(VarUpdatePublicKey, "it is not the certificate's public key")
	}
	return nil
}
