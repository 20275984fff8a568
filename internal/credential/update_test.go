package credential_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/credential"
	"mbl/internal/pki"
)

func TestFilesOfBothManifestToolsAreRead(t *testing.T) {
	cases := []struct {
		name, file, certificate string
		vendor, class           string
		publicKey, subjectKey   bool
	}{
		{
			name: "manifest-tool 1.4.8", file: oldUpdateFile,
			certificate: "manifest-tool-1.4.8/.update-certificates/default.der",
			vendor:      "cfbff0d193755685968c48ce8b15ae17",
			class:       "037dfbf1009f5e179fe477df18b9954d",
			subjectKey:  true,
		},
		{
			name: "manifest-dev-tool 2.6.2", file: newUpdateFile,
			certificate: "manifest-tool-2.6.2/.manifest-dev-tool/dev.cert.der",
			vendor:      "655e43cf5d514e8396350aa2c16e35ec",
			class:       "651d4bb172cc4e4397f98b79426822b0",
			publicKey:   true,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u, err := credential.ParseUpdate(readVector(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := u.Check(); err != nil {
				t.Error(err)
			}
			if hex.EncodeToString(u.VendorID[:]) != c.vendor || hex.EncodeToString(u.ClassID[:]) != c.class {
				t.Errorf("vendor %x, class %x", u.VendorID, u.ClassID)
			}
			certificate := readVector(t, c.certificate)
			sum := pki.Fingerprint(certificate)
			if !bytes.Equal(u.Certificate, certificate) || !bytes.Equal(u.Fingerprint, sum[:]) {
				t.Errorf("certificate %x, fingerprint %x", u.Certificate, u.Fingerprint)
			}
			cert, err := pki.ParseCertificate(certificate)
			if err != nil {
				t.Fatal(err)
			}
			if c.subjectKey != bytes.Equal(u.SubjectKeyIdentifier, cert.SubjectKeyId) {
				t.Errorf("subject key id %x", u.SubjectKeyIdentifier)
			}
			point, err := cert.PublicKey.(*ecdsa.PublicKey).Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if c.publicKey != bytes.Equal(u.PublicKey, point) {
				t.Errorf("public key %x", u.PublicKey)
			}
			if u.PSK != nil || u.PSKID != nil {
				t.Errorf("pre-shared key %x, id %x from empty arrays", u.PSK, u.PSKID)
			}
		})
	}
}

func TestUpdateVariablesRoundTrip(t *testing.T) {
	u := newUpdate(t)
	contents := asMap(u.Variables())
	want := []string{
		"arm_uc_class_id", "arm_uc_default_certificate", "arm_uc_default_fingerprint",
		"arm_uc_default_subject_key_identifier", "arm_uc_vendor_id",
	}
	if got := sortedNames(contents); !slices.Equal(got, want) {
		t.Errorf("names %q", got)
	}
	u.PSK, u.PSKID, u.PublicKey = []byte("0123456789abcdef"), bytes.Repeat([]byte{7}, 32), []byte{4}
	contents = asMap(u.Variables())
	for name := range contents {
		if !credential.IsUpdateVariable(name) || credential.IsDeveloperVariable(name) {
			t.Errorf("%s is not known as an update variable", name)
		}
	}
	again, err := credential.UpdateFromVariables(contents)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, u) {
		t.Errorf("got %q, want %q", again.Variables(), u.Variables())
	}
}

func TestUpdateStoreMadeByTheOriginalToolIsAccepted(t *testing.T) {
	stored, err := originalParser(string(readVector(t, oldUpdateFile)), "#include <stdint.h>", "arm_uc_")
	if err == nil {
		_, err = credential.UpdateFromVariables(stored)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, placeholder := range []string{"", "0", "0x0", "0x00", "\x00", strings.Repeat("\x00", 32)} {
		stored[credential.VarFingerprint] = []byte(placeholder)
		u, err := credential.UpdateFromVariables(stored)
		if err != nil {
			t.Fatal(err)
		}
		sum := pki.Fingerprint(u.Certificate)
		if !bytes.Equal(u.Fingerprint, sum[:]) || u.PSK != nil {
			t.Errorf("from %q: fingerprint %x, pre-shared key %x", placeholder, u.Fingerprint, u.PSK)
		}
	}
}

func TestMissingUpdateVariablesAreNamed(t *testing.T) {
	needed := []string{credential.VarVendorID, credential.VarClassID, credential.VarUpdateCertificate}
	_, err := credential.UpdateFromVariables(nil)
	var missing *credential.MissingError
	if !errors.As(err, &missing) || !slices.Equal(missing.Variables, needed) {
		t.Errorf("from nothing: %v", err)
	}
	source := string(readVector(t, oldUpdateFile))
	for _, name := range needed {
		_, err := credential.ParseUpdate([]byte(strings.ReplaceAll(source, " "+name+"[]", " other[]")))
		if !errors.As(err, &missing) || !slices.Equal(missing.Variables, []string{name}) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	_, err = credential.ParseUpdate(readVector(t, developerFile))
	if err == nil || !strings.Contains(err.Error(), "holds developer credentials") {
		t.Errorf("from developer credentials: %v", err)
	}
}

func TestIdentifiersHave16Bytes(t *testing.T) {
	source := string(readVector(t, oldUpdateFile))
	_, err := credential.ParseUpdate([]byte(strings.Replace(source, "0xcf, 0xbf", "0xcf", 1)))
	var fault *credential.SourceError
	if !errors.As(err, &fault) || fault.Variable != credential.VarVendorID || !strings.Contains(fault.Problem, "15 bytes, not 16") {
		t.Errorf("got %v", err)
	}
	contents := asMap(newUpdate(t).Variables())
	contents[credential.VarClassID] = make([]byte, 17)
	_, err = credential.UpdateFromVariables(contents)
	wantCheckError(t, err, credential.VarClassID)
}

func TestSizedFingerprintOfZerosIsComputed(t *testing.T) {
	source := string(readVector(t, newUpdateFile))
	source = strings.Replace(source, "fingerprint[]", "fingerprint[32]", 1)
	u, err := credential.ParseUpdate([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if sum := pki.Fingerprint(u.Certificate); !bytes.Equal(u.Fingerprint, sum[:]) {
		t.Errorf("fingerprint %x", u.Fingerprint)
	}
}

func TestCheckComputesAnAbsentFingerprint(t *testing.T) {
	for _, placeholder := range [][]byte{nil, {0}, make([]byte, 32)} {
		u := newUpdate(t)
		want := u.Fingerprint
		u.Fingerprint = placeholder
		if err := u.Check(); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(u.Fingerprint, want) {
			t.Errorf("from %x: %x", placeholder, u.Fingerprint)
		}
	}
}

func TestWrongUpdateResourcesAreRefusedByItem(t *testing.T) {
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	otherCertificate, err := pki.SelfSignUpdateAuthority(key, "example.com", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func(*credential.Update)
		item   string
		says   string
	}{
		{"fingerprint of another certificate", func(u *credential.Update) { u.Certificate = otherCertificate }, credential.VarFingerprint, "not the certificate's"},
		{"short fingerprint", func(u *credential.Update) { u.Fingerprint = u.Fingerprint[:31] }, credential.VarFingerprint, "not the certificate's"},
		{"PEM certificate", func(u *credential.Update) { u.Certificate = []byte(pki.CertificatePEM(otherCertificate)) }, credential.VarUpdateCertificate, "PEM"},
		{"no certificate", func(u *credential.Update) { u.Certificate = nil }, credential.VarUpdateCertificate, "empty"},
		{"long certificate", func(u *credential.Update) { u.Certificate = make([]byte, 601) }, credential.VarUpdateCertificate, "at most 600"},
		{"public key of another certificate", func(u *credential.Update) { u.PublicKey = make([]byte, 65) }, credential.VarUpdatePublicKey, "not the certificate's public key"},
		{"no vendor", func(u *credential.Update) { u.VendorID = [16]byte{} }, credential.VarVendorID, "zeros"},
		{"no class", func(u *credential.Update) { u.ClassID = [16]byte{} }, credential.VarClassID, "zeros"},
		{"long pre-shared key", func(u *credential.Update) { u.PSK = make([]byte, 1025) }, credential.VarPSK, "at most 1024"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newUpdate(t)
			c.change(u)
			err := u.Check()
			wantCheckError(t, err, c.item)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestIdentifiersAreThoseOfManifestTool(t *testing.T) {
	cases := []struct{ domain, vendor, model, class string }{
		{"example.com", "cfbff0d193755685968c48ce8b15ae17", "mymodel", "037dfbf1009f5e179fe477df18b9954d"},
		{"arm.com", "fa6b4a53d5ad5fdfbe9de663e4d41ffe", "mbl-rpi3", "f69292dfe47d5fbf9263c0a10065062f"},
		{"pelion.test", "90333a01979954018f90456a397f46ef", "model one", "a6bd41852e5b51faae3d388025f835dd"},
	}
	for _, c := range cases {
		vendor, err := credential.VendorID(c.domain)
		if err != nil {
			t.Fatal(err)
		}
		class := credential.ClassID(vendor, c.model)
		if hex.EncodeToString(vendor[:]) != c.vendor || hex.EncodeToString(class[:]) != c.class {
			t.Errorf("%s: vendor %x, class %x", c.domain, vendor, class)
		}
	}
}

func TestDomainsNeedTwoParts(t *testing.T) {
	for _, domain := range []string{"", "localhost", ".com", "example.", "a..b", "."} {
		if id, err := credential.VendorID(domain); err == nil {
			t.Errorf("%q has the id %x", domain, id)
		}
	}
}

func FuzzParseUpdate(f *testing.F) {
	f.Add(readVector(f, oldUpdateFile))
	f.Add(readVector(f, newUpdateFile))
	f.Add(readVector(f, developerFile))
	f.Fuzz(func(t *testing.T, source []byte) {
		u, err := credential.ParseUpdate(source)
		if err != nil || u.Check() != nil {
			return
		}
		again, err := credential.UpdateFromVariables(asMap(u.Variables()))
		if err != nil {
			t.Fatalf("what passes cannot be read back: %v", err)
		}
		if again.Check() != nil || !bytes.Equal(again.Certificate, u.Certificate) {
			t.Errorf("got %q, want %q", again.Variables(), u.Variables())
		}
	})
}

// manifest-tool init --psk makes a file without a certificate.
func TestAFileForAPreSharedKeySaysWhatItIs(t *testing.T) {
	const psk = "const uint8_t arm_uc_default_psk[] = {\n    0x91, 0x9\n};\n"
	source := "#include <stdint.h>\n" + updateIDs + "const uint8_t arm_uc_default_certificate[] = {\n    \n};\n" + psk
	_, err := credential.ParseUpdate([]byte(source))
	if err == nil || !strings.Contains(err.Error(), "made for a pre-shared key (--psk)") || !strings.Contains(err.Error(), credential.VarUpdateCertificate) {
		t.Errorf("error %v", err)
	}
	_, err = credential.ParseUpdate([]byte(strings.TrimSuffix(source, psk)))
	if err == nil || strings.Contains(err.Error(), "--psk") {
		t.Errorf("without a key: error %v", err)
	}
}

const updateIDs = `const uint8_t arm_uc_vendor_id[] = { 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 };
const uint8_t arm_uc_class_id[] = { 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 };
`
