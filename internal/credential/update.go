package credential

import (
	"fmt"

	"mbl/internal/pki"
)

// Update is what a device needs to accept firmware updates.
type Update struct {
	VendorID [16]byte
	ClassID  [16]byte

	Certificate          []byte // DER, of the update authority
	Fingerprint          []byte // SHA-256 of Certificate
	SubjectKeyIdentifier []byte // nil if absent
	PSK                  []byte `json:"-"` // pre-shared key for updates; nil if absent
	PSKID                []byte // nil if absent
	PublicKey            []byte // uncompressed point (SEC 1 §2.3.3), 65 bytes; nil if absent
}

// String names the resources and keeps the pre-shared key out of logs.
func (u Update) String() string {
	return fmt.Sprintf("update resources for vendor %x, class %x", u.VendorID, u.ClassID)
}

// GoString is String.
func (u Update) GoString() string { return u.String() }

// fields are the variables in the order of manifest-tool's file.
func (u *Update) fields() []field {
	return []field{
		{name: VarVendorID, id: &u.VendorID},
		{name: VarClassID, id: &u.ClassID},
		{name: VarFingerprint, data: &u.Fingerprint, optional: true},
		{name: VarSubjectKeyIdentifier, data: &u.SubjectKeyIdentifier, optional: true},
		{name: VarUpdateCertificate, data: &u.Certificate},
		{name: VarPSK, data: &u.PSK, optional: true},
		{name: VarPSKID, data: &u.PSKID, optional: true},
		{name: VarUpdatePublicKey, data: &u.PublicKey, optional: true},
	}
}

// ParseUpdate reads an update_default_resources.c of manifest-tool 1.4 or
// manifest-dev-tool 2.6, in whatever layout a C compiler takes. Both ids and
// the certificate are needed; a fingerprint that is absent or all zeros is
// computed. The values are not checked; Check does that. Errors are a
// *SourceError or a *MissingError inside.
func ParseUpdate(source []byte) (*Update, error) {
	u := new(Update)
	declared, err := readSource(source, u.fields())
	if err != nil && isForPSK(declared) {
		err = &SourceError{
			Line: declared[VarUpdateCertificate].line, Variable: VarUpdateCertificate,
			Problem: "it is empty: the file was made for a pre-shared key (--psk), and a device needs a certificate",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the update resources: %w", explain(err, declared, VarEndpointName, "developer credentials"))
	}
	u.completeFingerprint()
	return u, nil
}

// isForPSK recognises the file of a project with a pre-shared key in place of
// a certificate.
func isForPSK(declared map[string]declaration) bool {
	cert, err := declared[VarUpdateCertificate].bytes()
	if err != nil || len(cert) > 0 {
		return false
	}
	psk, err := declared[VarPSK].bytes()
	return err == nil && len(psk) > 0
}

// UpdateFromVariables reads the contents of the .bin files, keyed by variable
// name, as DeveloperFromVariables does. Errors are a *CheckError or a
// *MissingError inside.
func UpdateFromVariables(contents map[string][]byte) (*Update, error) {
	u := new(Update)
	if err := readVariables(contents, u.fields()); err != nil {
		return nil, fmt.Errorf("cannot read the update resources: %w", err)
	}
	u.completeFingerprint()
	return u, nil
}

// completeFingerprint computes a fingerprint that is absent or only a
// placeholder: manifest-dev-tool writes { 0 }.
func (u *Update) completeFingerprint() {
	if !allZero(u.Fingerprint) {
		return
	}
	sum := pki.Fingerprint(u.Certificate)
	u.Fingerprint = sum[:]
}

func allZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}

// Variables are the contents of the .bin files; absent ones are left out.
func (u *Update) Variables() []Variable { return variables(u.fields()) }
