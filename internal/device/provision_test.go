package device_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"maps"
	"math/big"
	"testing"
	"time"

	"mbl/internal/device"
	"mbl/internal/keystore"
	"mbl/internal/pki"
)

func TestProvisionStoresEveryFileUnderTheOriginalsName(t *testing.T) {
	store, kit := newStore(t), anyKit(t)
	must(t, device.Provision(store, kit.folder(t)))
	items := content(t, store)
	for item, variable := range map[string]string{
		"mbed.EndpointName":              "MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME",
		"mbed.BootstrapDeviceCert":       "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE",
		"mbed.BootstrapServerCACert":     "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_ROOT_CA_CERTIFICATE",
		"mbed.BootstrapDevicePrivateKey": "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY",
		"mbed.BootstrapServerURI":        "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI",
		"mbed.Manufacturer":              "MBED_CLOUD_DEV_MANUFACTURER",
		"mbed.ModelNumber":               "MBED_CLOUD_DEV_MODEL_NUMBER",
		"mbed.SerialNumber":              "MBED_CLOUD_DEV_SERIAL_NUMBER",
		"mbed.DeviceType":                "MBED_CLOUD_DEV_DEVICE_TYPE",
		"mbed.HardwareVersion":           "MBED_CLOUD_DEV_HARDWARE_VERSION",
		"mbed.MemoryTotalKB":             "MBED_CLOUD_DEV_MEMORY_TOTAL_KB",
		"mbed.UpdateAuthCert":            "arm_uc_default_certificate",
		"mbed.VendorId":                  "arm_uc_vendor_id",
		"mbed.ClassId":                   "arm_uc_class_id",
	} {
		if items[item] != string(kit.files[variable]) {
			t.Errorf("%s = %.20q, want the content of %s", item, items[item], variable)
		}
		delete(items, item)
	}
	if items["mbed.UseBootstrap"] != "\x01\x00\x00\x00" {
		t.Errorf("mbed.UseBootstrap = %q", items["mbed.UseBootstrap"])
	}
	delete(items, "mbed.UseBootstrap")
	delete(items, device.ItemProvisioning)
	if len(items) > 0 {
		t.Errorf("unexpected items: %q", items)
	}
}

func TestMemoryIsANumberOrDecimalText(t *testing.T) {
	for given, want := range map[string]string{
		"\x00\x04\x00\x00": "\x00\x04\x00\x00",
		"0":                "\x00\x00\x00\x00",
		"1024":             "\x00\x04\x00\x00",
		"262144":           "\x00\x00\x04\x00",
		"lots":             "lots",
	} {
		store := newStore(t)
		must(t, device.Provision(store, anyKit(t).with("MBED_CLOUD_DEV_MEMORY_TOTAL_KB", []byte(given)).folder(t)))
		if got := content(t, store)["mbed.MemoryTotalKB"]; got != want {
			t.Errorf("%q is stored as %q, want %q", given, got, want)
		}
	}
}

func TestTheAccountIdIsTakenWhenItIsThere(t *testing.T) {
	store := newStore(t)
	must(t, device.Provision(store, anyKit(t).with("MBED_CLOUD_DEV_ACCOUNT_ID", []byte(accountID)).folder(t)))
	if got := content(t, store)["mbed.AccountID"]; got != accountID {
		t.Errorf("mbed.AccountID = %q", got)
	}
	must(t, device.Provision(store, anyKit(t).folder(t)))
	if got, ok := content(t, store)["mbed.AccountID"]; ok {
		t.Errorf("mbed.AccountID = %q is left from the credentials before", got)
	}
	if got := device.ReadIdentity(store).AccountID; got != accountID {
		t.Errorf("the account id in the URI was not found: %q", got)
	}
}

func TestProvisioningAgainForgetsTheServiceItCameFrom(t *testing.T) {
	store := newStore(t)
	must(t, device.Provision(store, anyKit(t).folder(t)))
	first := content(t, store)
	obtained := []string{
		device.ItemLwM2MURI, device.ItemLwM2MCA, device.ItemLwM2MCert, device.ItemLwM2MKey,
		device.ItemInternalEndpoint, device.ItemSession, device.ItemLifetime,
	}
	for _, item := range append(obtained, "mbed.Timezone") {
		must(t, store.Put(item, []byte("of the old service")))
	}
	must(t, device.Provision(store, anyKit(t).folder(t)))
	second := content(t, store)
	for _, item := range obtained {
		if _, ok := second[item]; ok {
			t.Errorf("%s is still there", item)
		}
	}
	if second["mbed.Timezone"] == "" {
		t.Error("mbed.Timezone is gone: it has nothing to do with the service")
	}
	if first[device.ItemProvisioning] == second[device.ItemProvisioning] {
		t.Error("a running device cannot tell the new credentials from the old")
	}
}

func TestEveryMissingFileIsNamedAndNothingIsStored(t *testing.T) {
	for variable := range anyKit(t).files {
		store := newStore(t)
		err := device.Provision(store, anyKit(t).with(variable, nil).folder(t))
		var input *device.InputError
		if !errors.As(err, &input) {
			t.Fatalf("without %s: %v, want an InputError", variable, err)
		}
		problems := append(input.Developer, input.Update...)
		if len(problems) != 1 || problems[0].Path != "/scratch/provisioning-certs/"+variable+".bin" || problems[0].Opened {
			t.Errorf("without %s: %+v", variable, problems)
		}
		if items := content(t, store); len(items) > 0 {
			t.Errorf("without %s something was stored: %q", variable, items)
		}
	}
}

func TestTheStorageRefusesWhatTheOriginalRefuses(t *testing.T) {
	const (
		cert   = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE"
		key    = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY"
		update = "arm_uc_default_certificate"
	)
	kit := anyKit(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	p384DER, err := x509.MarshalECPrivateKey(p384)
	must(t, err)
	p384PKCS8, err := x509.MarshalPKCS8PrivateKey(p384)
	must(t, err)
	tests := map[string]struct {
		variable string
		data     []byte
		item     string
		reason   string
	}{
		"PEM certificate":       {cert, []byte(pki.CertificatePEM(kit.cert)), "mbed.BootstrapDeviceCert", "Certificate parse failed:"},
		"truncated certificate": {cert, kit.cert[:len(kit.cert)-10], "mbed.BootstrapDeviceCert", "Certificate parse failed:"},
		"empty certificate":     {cert, []byte{}, "mbed.BootstrapDeviceCert", "Item data empty:"},
		"RSA certificate":       {cert, rsaCertificate(t), "mbed.BootstrapDeviceCert", "General error:"},
		"P-384 key":             {key, p384DER, "mbed.BootstrapDevicePrivateKey", "Public key format invalid:"},
		"P-384 PKCS#8 key":      {key, p384PKCS8, "mbed.BootstrapDevicePrivateKey", "Public key format invalid:"},
		"PEM update authority":  {update, []byte(pki.CertificatePEM(kit.cert)), "mbed.UpdateAuthCert", "Certificate parse failed:"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			must(t, device.Provision(store, anyKit(t).folder(t)))
			before := content(t, store)
			err := device.Provision(store, kit.with(test.variable, test.data).folder(t))
			var refused *device.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("Provision = %v, want a RefusedError", err)
			}
			got := refused.Developer
			if test.variable == update {
				got = refused.Update
			}
			if got == nil || got.Item != test.item || got.Reason != test.reason {
				t.Errorf("refused %+v, want %s %s", got, test.item, test.reason)
			}
			if after := content(t, store); !maps.Equal(before, after) {
				t.Error("the credentials before it were changed")
			}
		})
	}
}

func TestTheStorageTakesSEC1Keys(t *testing.T) {
	kit := anyKit(t)
	sec1, err := pki.MarshalSEC1(kit.key)
	must(t, err)
	store := newStore(t)
	must(t, device.Provision(store, kit.with("MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY", sec1).folder(t)))
	if report := device.Verify(store, time.Now()); report.Problem != nil {
		t.Errorf("Verify: %v", report.Problem)
	}
}

// oneChange fails every use of the store but a single Replace.
type oneChange struct {
	keystore.Store
	t       *testing.T
	changes int
}

func (s *oneChange) Put(string, []byte) error { s.t.Error("Put used"); return nil }
func (s *oneChange) Delete(string) error      { s.t.Error("Delete used"); return nil }

func (s *oneChange) Replace(change keystore.Change) error {
	s.changes++
	return s.Store.Replace(change)
}

func TestProvisioningIsOneChangeOfTheStorage(t *testing.T) {
	store := &oneChange{Store: newStore(t), t: t}
	must(t, device.Provision(store, anyKit(t).folder(t)))
	if store.changes != 1 {
		t.Errorf("%d changes: a power loss between them would leave a mix", store.changes)
	}
}

var errDiskFull = errors.New("disk full")

type fullDisk struct{ keystore.Store }

func (fullDisk) Replace(keystore.Change) error { return errDiskFull }

func TestAFailingStorageIsReported(t *testing.T) {
	if err := device.Provision(fullDisk{newStore(t)}, anyKit(t).folder(t)); !errors.Is(err, errDiskFull) {
		t.Errorf("Provision = %v", err)
	}
}

func rsaCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: endpoint}, NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return der
}
