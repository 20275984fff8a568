package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The files of a store entry that forge replaces.
const (
	endpointFile       = "MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME.bin"
	accountFile        = "MBED_CLOUD_DEV_ACCOUNT_ID.bin"
	serverFile         = "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI.bin"
	certificateFile    = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE.bin"
	keyFile            = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin"
	updateFile         = "arm_uc_default_certificate.bin"
	fingerprintFile    = "arm_uc_default_fingerprint.bin"
	otherAccount       = "0123456789abcdef0123456789abcdef"
	bytesOfFingerprint = 32
)

// entry is a store entry being spoilt: file name to content.
type entry map[string][]byte

// spoilers make one thing wrong with an otherwise good entry.
var spoilers = map[string]func(entry) error{
	"nothing":     func(entry) error { return nil },
	"key":         func(e entry) error { return e.certify(subject{}, newP256, certificateFile, "") },
	"name":        func(e entry) error { return e.certify(subject{cn: "someone-else"}, newP256, certificateFile, keyFile) },
	"long":        func(e entry) error { return e.certify(subject{pad: 1000}, newP256, certificateFile, keyFile) },
	"p384":        func(e entry) error { return e.certify(subject{}, newP384, certificateFile, keyFile) },
	"rsa":         func(e entry) error { return e.certify(subject{}, newRSA, certificateFile, keyFile) },
	"account":     func(e entry) error { return e.setAccount(otherAccount) },
	"scheme":      func(e entry) error { return e.setScheme("https") },
	"update-long": func(e entry) error { return e.certify(subject{pad: 500}, newP256, updateFile, "") },
	"update-p384": func(e entry) error { return e.certify(subject{}, newP384, updateFile, "") },
	"update-rsa":  func(e entry) error { return e.certify(subject{}, newRSA, updateFile, "") },
	"fingerprint": func(e entry) error { return e.set(fingerprintFile, strings.Repeat("\x01", bytesOfFingerprint)) },
	"zero":        func(e entry) error { return e.set(fingerprintFile, strings.Repeat("\x00", bytesOfFingerprint)) },
	"unprinted":   func(e entry) error { delete(e, fingerprintFile); return nil },
}

// forge: forge ENTRY NEW-ENTRY WHAT – copies a store entry and spoils one
// thing of the copy.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3 && spoilers[args[2]] != nil, "forge ENTRY NEW-ENTRY WHAT")
	e, err := readEntry(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(spoilers[args[2]](e))
	ts.Check(e.write(ts.MkAbs(args[1])))
}

func readEntry(dir string) (entry, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	e := entry{}
	for _, file := range files {
		if e[file.Name()], err = os.ReadFile(filepath.Join(dir, file.Name())); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e entry) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, content := range e {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) set(file, content string) error {
	e[file] = []byte(content)
	return nil
}

func (e entry) setAccount(id string) error {
	server := strings.ReplaceAll(string(e[serverFile]), string(e[accountFile]), id)
	return e.set(serverFile, server)
}

func (e entry) setScheme(scheme string) error {
	_, rest, _ := strings.Cut(string(e[serverFile]), "://")
	return e.set(serverFile, scheme+"://"+rest)
}

// subject says how a forged certificate differs from the entry's own.
type subject struct {
	cn  string // empty: the entry's endpoint name
	pad int    // bytes of an extension nobody knows
}

// certify puts a new self-signed certificate into a file, and its key into
// another if that has a name.
func (e entry) certify(s subject, newKey func() (crypto.Signer, error), certificateFile, keyFile string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	certificate, err := e.selfSign(s, key)
	if err != nil {
		return err
	}
	e[certificateFile] = certificate
	if keyFile == "" {
		return nil
	}
	e[keyFile], err = x509.MarshalPKCS8PrivateKey(key)
	return err
}

func (e entry) selfSign(s subject, key crypto.Signer) ([]byte, error) {
	name := s.cn
	if name == "" {
		name = string(e[endpointFile])
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name, OrganizationalUnit: []string{string(e[accountFile])}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	if s.pad > 0 {
		template.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Value: make([]byte, s.pad)}}
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

func newP256() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
func newP384() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) }

// newRSA makes a key that is short enough to be refused for its kind, not its size.
func newRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) }
