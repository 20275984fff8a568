package credential_test

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"mbl/internal/credential"
	"mbl/internal/pki"
)

const (
	vectors        = "../../testdata/vectors/"
	developerFile  = "mbed_cloud_dev_credentials.example.c"
	oldUpdateFile  = "manifest-tool-1.4.8/update_default_resources.c"
	newUpdateFile  = "manifest-tool-2.6.2/update_default_resources.c"
	exampleAccount = "015843e32ec902420a015e0700000000"
)

func readVector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(vectors + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// newDeveloper makes credentials that pass every check.
func newDeveloper(t testing.TB) *credential.Developer {
	t.Helper()
	const endpoint = "0161dbbcdd660a580a010c3403c00000"
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.SelfSignDeveloper(key, exampleAccount, endpoint, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	encodedKey, err := pki.MarshalPKCS8(key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.NewAuthority("Bootstrap CA")
	if err != nil {
		t.Fatal(err)
	}
	return &credential.Developer{
		EndpointName:        endpoint,
		AccountID:           exampleAccount,
		ServerURI:           "coaps://cloud.example.com:5684?aid=" + exampleAccount,
		DeviceCertificate:   certificate,
		ServerCACertificate: authority.Certificate.Raw,
		PrivateKey:          encodedKey,
		Manufacturer:        "dev_manufacturer",
		ModelNumber:         "dev_model_num",
		SerialNumber:        "0",
		DeviceType:          "dev_device_type",
		HardwareVersion:     "dev_hardware_version",
	}
}

func newUpdate(t testing.TB) *credential.Update {
	t.Helper()
	update, err := credential.ParseUpdate(readVector(t, oldUpdateFile))
	if err != nil {
		t.Fatal(err)
	}
	return update
}

// asMap is how a store hands variables back.
func asMap(variables []credential.Variable) map[string][]byte {
	contents := map[string][]byte{}
	for _, v := range variables {
		contents[v.Name] = v.Data
	}
	return contents
}

func sortedNames(contents map[string][]byte) []string {
	return slices.Sorted(maps.Keys(contents))
}
