package device_test

import (
	"crypto/ecdsa"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/device"
	"mbl/internal/keystore"
	"mbl/internal/pki"
)

const (
	accountID = "015c3029f6f7000000000001001000bf"
	endpoint  = "0167a1b2c3d400000000000100100abc"
)

// developerKit is a set of credential files as a provisioning tool leaves
// them, by variable name.
type developerKit struct {
	files map[string][]byte
	key   *ecdsa.PrivateKey
	cert  []byte
}

// newKit makes credentials for the bootstrap server at uri, whose CA is
// bootstrapCA.
func newKit(t *testing.T, uri string, bootstrapCA []byte) developerKit {
	t.Helper()
	key, err := pki.NewKey()
	must(t, err)
	cert, err := pki.SelfSignDeveloper(key, accountID, endpoint, time.Now())
	must(t, err)
	pkcs8, err := pki.MarshalPKCS8(key)
	must(t, err)
	updateKey, err := pki.NewKey()
	must(t, err)
	update, err := pki.SelfSignUpdateAuthority(updateKey, "example.com", time.Now(), 20*365*24*time.Hour)
	must(t, err)
	return developerKit{key: key, cert: cert, files: map[string][]byte{
		"MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME":              []byte(endpoint),
		"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE":         cert,
		"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_ROOT_CA_CERTIFICATE": bootstrapCA,
		"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY":         pkcs8,
		"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI":                 []byte(uri),
		"MBED_CLOUD_DEV_MANUFACTURER":                         []byte("dev_manufacturer"),
		"MBED_CLOUD_DEV_MODEL_NUMBER":                         []byte("dev_model_num"),
		"MBED_CLOUD_DEV_SERIAL_NUMBER":                        []byte("0"),
		"MBED_CLOUD_DEV_DEVICE_TYPE":                          []byte("dev_device_type"),
		"MBED_CLOUD_DEV_HARDWARE_VERSION":                     []byte("dev_hardware_version"),
		"MBED_CLOUD_DEV_MEMORY_TOTAL_KB":                      {0, 0, 0, 0},
		"arm_uc_default_certificate":                          update,
		"arm_uc_vendor_id":                                    []byte("vendor-16-bytes!"),
		"arm_uc_class_id":                                     []byte("class--16-bytes!"),
	}}
}

// with returns the kit with one file replaced; nil removes it.
func (k developerKit) with(variable string, data []byte) developerKit {
	k.files = maps.Clone(k.files)
	if data == nil {
		delete(k.files, variable)
	} else {
		k.files[variable] = data
	}
	return k
}

func (k developerKit) folder(t *testing.T) device.Folder {
	t.Helper()
	dir := t.TempDir()
	for variable, data := range k.files {
		must(t, os.WriteFile(filepath.Join(dir, variable+".bin"), data, 0o600))
	}
	return device.Folder{Path: dir, ShownAs: "/scratch/provisioning-certs"}
}

func anyKit(t *testing.T) developerKit {
	t.Helper()
	ca, err := pki.NewAuthority("bootstrap CA")
	must(t, err)
	return newKit(t, "coaps://bootstrap.example:5684?aid="+accountID, ca.Certificate.Raw)
}

func newStore(t *testing.T) keystore.Store {
	t.Helper()
	return keystore.NewFile(filepath.Join(t.TempDir(), "keystore"))
}

// content reads everything in the store.
func content(t *testing.T, store keystore.Store) map[string]string {
	t.Helper()
	names, err := store.List()
	must(t, err)
	items := map[string]string{}
	for _, name := range names {
		data, err := store.Get(name)
		must(t, err)
		items[name] = string(data)
	}
	return items
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
