package device_test

import (
	"slices"
	"testing"
	"time"

	"mbl/internal/device"
	"mbl/internal/keystore"
	"mbl/internal/pki"
)

func TestVerifyFindsWhatTheOriginalFinds(t *testing.T) {
	provisioned := newStore(t)
	kit := anyKit(t)
	must(t, device.Provision(provisioned, kit.folder(t)))
	good := content(t, provisioned)

	otherKey, err := pki.NewKey()
	must(t, err)
	otherKeyDER, err := pki.MarshalSEC1(otherKey)
	must(t, err)
	expired, err := pki.SelfSignUpdateAuthority(otherKey, "example.com", time.Now().AddDate(-2, 0, 0), 24*time.Hour)
	must(t, err)

	tests := map[string]struct {
		set    map[string]string
		remove string
		want   string
	}{
		"all is well":              {},
		"unprovisioned":            {remove: "mbed.UseBootstrap", want: "Item does not exist:mbed.UseBootstrap"},
		"mode of the wrong size":   {set: map[string]string{"mbed.UseBootstrap": "\x01"}, want: "Item size is wrong:mbed.UseBootstrap"},
		"mode neither 0 nor 1":     {set: map[string]string{"mbed.UseBootstrap": "\x02\x00\x00\x00"}, want: "Bootstrap mode value incorrect:mbed.UseBootstrap"},
		"mode without bootstrap":   {set: map[string]string{"mbed.UseBootstrap": "\x00\x00\x00\x00"}, want: "Item does not exist:mbed.LwM2MServerCACert"},
		"bad UTC offset":           {set: map[string]string{"mbed.UTCOffset": "two hours"}, want: "UTC offset incorrect:mbed.UTCOffset"},
		"no endpoint name":         {remove: "mbed.EndpointName", want: "Item empty:mbed.EndpointName"},
		"empty endpoint name":      {set: map[string]string{"mbed.EndpointName": ""}, want: "Item empty:mbed.EndpointName"},
		"no manufacturer":          {remove: "mbed.Manufacturer", want: "Item does not exist:mbed.Manufacturer"},
		"empty manufacturer":       {set: map[string]string{"mbed.Manufacturer": ""}},
		"no model number":          {remove: "mbed.ModelNumber", want: "Item does not exist:mbed.ModelNumber"},
		"no device type":           {remove: "mbed.DeviceType", want: "Item does not exist:mbed.DeviceType"},
		"no hardware version":      {remove: "mbed.HardwareVersion", want: "Item does not exist:mbed.HardwareVersion"},
		"no memory size":           {remove: "mbed.MemoryTotalKB", want: "Item does not exist:mbed.MemoryTotalKB"},
		"no serial number":         {remove: "mbed.SerialNumber", want: "Item does not exist:mbed.SerialNumber"},
		"no CA":                    {remove: "mbed.BootstrapServerCACert", want: "Item does not exist:mbed.BootstrapServerCACert"},
		"empty CA":                 {set: map[string]string{"mbed.BootstrapServerCACert": ""}, want: "Item empty:mbed.BootstrapServerCACert"},
		"no URI":                   {remove: "mbed.BootstrapServerURI", want: "Item does not exist:mbed.BootstrapServerURI"},
		"URI of another scheme":    {set: map[string]string{"mbed.BootstrapServerURI": "https://x:1?aid=1"}, want: "URI format incorrect:mbed.BootstrapServerURI"},
		"URI without account":      {set: map[string]string{"mbed.BootstrapServerURI": "coaps://x:1"}, want: "URI format incorrect:mbed.BootstrapServerURI"},
		"account second":           {set: map[string]string{"mbed.BootstrapServerURI": "coaps://x:1?a=b&aid=1"}},
		"first to claim":           {set: map[string]string{"mbed.FirstToClaim": "\x01\x00\x00\x00", "mbed.BootstrapServerURI": "coaps://x:1"}},
		"first to claim, account":  {set: map[string]string{"mbed.FirstToClaim": "\x01\x00\x00\x00"}, want: "URI format incorrect:mbed.BootstrapServerURI"},
		"no key":                   {remove: "mbed.BootstrapDevicePrivateKey", want: "Item does not exist:mbed.BootstrapDevicePrivateKey"},
		"another key":              {set: map[string]string{"mbed.BootstrapDevicePrivateKey": string(otherKeyDER)}, want: "Certificate public key validation failed:mbed.BootstrapDeviceCert"},
		"no certificate":           {remove: "mbed.BootstrapDeviceCert", want: "Item does not exist:mbed.BootstrapDeviceCert"},
		"another name":             {set: map[string]string{"mbed.EndpointName": endpoint + "x"}, want: "Certificate CN attribute invalid:mbed.BootstrapDeviceCert"},
		"a shorter name":           {set: map[string]string{"mbed.EndpointName": endpoint[:31]}, want: "Certificate CN attribute invalid:mbed.BootstrapDeviceCert"},
		"no update authority":      {remove: "mbed.UpdateAuthCert"},
		"expired update authority": {set: map[string]string{"mbed.UpdateAuthCert": string(expired)}, want: "Certificate expired:mbed.UpdateAuthCert"},
		"no class id":              {remove: "mbed.ClassId"},
		"short class id":           {set: map[string]string{"mbed.ClassId": "short"}, want: "Item size is wrong:mbed.ClassId"},
		"long vendor id":           {set: map[string]string{"mbed.VendorId": "seventeen-bytes-!"}, want: "Item size is wrong:mbed.VendorId"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			change := keystore.Change{Put: map[string][]byte{}}
			for item, data := range good {
				change.Put[item] = []byte(data)
			}
			for item, data := range test.set {
				change.Put[item] = []byte(data)
			}
			delete(change.Put, test.remove)
			must(t, store.Replace(change))
			got := ""
			if problem := device.Verify(store, time.Now()).Problem; problem != nil {
				got = problem.String()
			}
			if got != test.want {
				t.Errorf("Verify finds %q, want %q", got, test.want)
			}
		})
	}
}

func TestVerifyWarns(t *testing.T) {
	store := newStore(t)
	must(t, device.Provision(store, anyKit(t).folder(t)))
	must(t, store.Put(device.ItemLwM2MCA, []byte("x")))
	must(t, store.Delete("mbed.UpdateAuthCert"))
	for _, test := range []struct {
		now  time.Time
		want []string
	}{
		{time.Now(), []string{
			"Item not set:mbed.Timezone", "Item not set:mbed.UTCOffset", "Item redundant:mbed.LwM2MServerCACert",
			"Certificate is self signed:mbed.BootstrapDeviceCert", "Certificate validity is less than 10 years:mbed.BootstrapDeviceCert",
			"Item not set:mbed.UpdateAuthCert",
		}},
		{time.Unix(100, 0), []string{
			"Item not set:mbed.CurrentTime", "Item not set:mbed.Timezone", "Item not set:mbed.UTCOffset",
			"Item redundant:mbed.LwM2MServerCACert", "Certificate is self signed:mbed.BootstrapDeviceCert",
			"Certificate validity cannot be checked:mbed.BootstrapDeviceCert", "Item not set:mbed.UpdateAuthCert",
		}},
	} {
		report := device.Verify(store, test.now)
		if report.Problem != nil {
			t.Errorf("problem: %v", report.Problem)
		}
		var got []string
		for _, warning := range report.Warnings {
			got = append(got, warning.String())
		}
		// The certificate was made moments ago for ten years: whether that is
		// less than ten years from now depends on the second.
		drop := func(text string) bool { return text == test.want[4] && test.now.Year() > 2000 }
		if !slices.Equal(slices.DeleteFunc(got, drop), slices.DeleteFunc(slices.Clone(test.want), drop)) {
			t.Errorf("warnings at %v:\n%q, want\n%q", test.now, got, test.want)
		}
	}
}

type damaged struct{ keystore.Store }

func (damaged) Get(string) ([]byte, error) { return nil, keystore.ErrDamaged }

func TestVerifyNamesADamagedItem(t *testing.T) {
	problem := device.Verify(damaged{newStore(t)}, time.Now()).Problem
	if problem == nil || problem.String() != "File data corrupted:mbed.Timezone" {
		t.Errorf("Verify finds %v", problem)
	}
}
