package deviceapp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/deviceapp"
	"mbl/internal/iostreams"
	"mbl/internal/pki"
)

const endpoint = "0167a1b2c3d400000000000100100abc"

// result is what a run of the program leaves behind.
type result struct {
	code     int
	out, err string
}

// run runs the program under a name, on a file tree of its own.
func run(t *testing.T, root, name string, args ...string) result {
	t.Helper()
	return runUntil(t.Context(), root, name, args...)
}

// runUntil is run with an end.
func runUntil(ctx context.Context, root, name string, args ...string) result {
	var out, errs bytes.Buffer
	code := deviceapp.Main(ctx, &iostreams.System{
		Name: name, Args: append([]string{"--root", root}, args...),
		In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" },
	})
	return result{code, out.String(), errs.String()}
}

func want(t *testing.T, got, want result) {
	t.Helper()
	if got != want {
		t.Errorf("got code %d\nstdout %q\nstderr %q\nwant code %d\nstdout %q\nstderr %q",
			got.code, got.out, got.err, want.code, want.out, want.err)
	}
}

// files are good credentials, by variable.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	key, err := pki.NewKey()
	must(t, err)
	cert, err := pki.SelfSignDeveloper(key, "acc", endpoint, time.Now())
	must(t, err)
	pkcs8, err := pki.MarshalPKCS8(key)
	must(t, err)
	return map[string][]byte{
		"MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME":              []byte(endpoint),
		"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE":         cert,
		"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_ROOT_CA_CERTIFICATE": cert,
		"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY":         pkcs8,
		"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI":                 []byte("coaps://localhost:5684?aid=acc"),
		"MBED_CLOUD_DEV_MANUFACTURER":                         []byte("m"),
		"MBED_CLOUD_DEV_MODEL_NUMBER":                         []byte("m"),
		"MBED_CLOUD_DEV_SERIAL_NUMBER":                        []byte("0"),
		"MBED_CLOUD_DEV_DEVICE_TYPE":                          []byte("d"),
		"MBED_CLOUD_DEV_HARDWARE_VERSION":                     []byte("h"),
		"MBED_CLOUD_DEV_MEMORY_TOTAL_KB":                      {0, 0, 0, 0},
		"arm_uc_default_certificate":                          cert,
		"arm_uc_vendor_id":                                    make([]byte, 16),
		"arm_uc_class_id":                                     make([]byte, 16),
	}
}

func writeFiles(t *testing.T, root string, files map[string][]byte) {
	t.Helper()
	dir := filepath.Join(root, "scratch/provisioning-certs")
	must(t, os.RemoveAll(dir))
	must(t, os.MkdirAll(dir, 0o700))
	for variable, data := range files {
		must(t, os.WriteFile(filepath.Join(dir, variable+".bin"), data, 0o600))
	}
}

func TestProvisioningAndStatusSpeakTheOriginalsWords(t *testing.T) {
	for _, name := range []string{"mbl-device", "pelion-provisioning-util"} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			want(t, run(t, root, name, "--get-pelion-status"), result{
				1, "Querying device status... \n", "Item does not exist:mbed.UseBootstrap\n",
			})
			writeFiles(t, root, files(t))
			provisioned := result{0, "Provisioning device.\nProvisioning process completed without error.\n", ""}
			want(t, run(t, root, name, "--provision"), provisioned)
			connectable := result{
				0, "Querying device status... \nDevice is configured correctly. You can connect to Pelion Cloud!\n", "",
			}
			want(t, run(t, root, name, "--get-pelion-status"), connectable)
			want(t, run(t, root, name, "--provision"), provisioned)
			want(t, run(t, root, name, "--get-pelion-status"), connectable)
			left, err := os.ReadDir(filepath.Join(root, "scratch/provisioning-certs"))
			must(t, err)
			if len(left) != 14 {
				t.Errorf("%d of the 14 files are left: removing them is the provisioning tool's job", len(left))
			}
		})
	}
}

func TestFailedProvisioningSpeaksTheOriginalsWords(t *testing.T) {
	const folder = "/scratch/provisioning-certs/"
	good := files(t)
	other := files(t)
	pem := []byte(pki.CertificatePEM(good["arm_uc_default_certificate"]))
	tests := map[string]struct {
		change map[string][]byte // nil content: no such file
		err    string
	}{
		"a developer file is missing": {
			map[string][]byte{"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI": nil},
			"File with path " + folder + "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI.bincould not be opened\n" +
				"There was an error parsing the dev credentials files\n",
		},
		"files of both are missing": {
			map[string][]byte{"MBED_CLOUD_DEV_MANUFACTURER": nil, "MBED_CLOUD_DEV_MODEL_NUMBER": nil, "arm_uc_vendor_id": nil},
			"File with path " + folder + "MBED_CLOUD_DEV_MANUFACTURER.bincould not be opened\n" +
				"File with path " + folder + "MBED_CLOUD_DEV_MODEL_NUMBER.bincould not be opened\n" +
				"There was an error parsing the dev credentials files\n" +
				"File with path " + folder + "arm_uc_vendor_id.bincould not be opened\n" +
				"There was an error parsing the Update Credentials files\n",
		},
		"the device certificate is PEM": {
			map[string][]byte{"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE": pem},
			"Failed to store KCM Item! Item name: mbed.BootstrapDeviceCert\n" +
				"Error status is: Certificate parse failed:\n" +
				"Developer Certificate Provisioning failed.\n",
		},
		"the update certificate is PEM": {
			map[string][]byte{"arm_uc_default_certificate": pem},
			"Failed to store KCM Item! Item name: mbed.UpdateAuthCert\n" +
				"Error status is: Certificate parse failed:\n" +
				"Update Certificate Provisioning failed.\n",
		},
		"the key is nonsense": {
			map[string][]byte{"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY": []byte("nonsense")},
			"Failed to store KCM Item! Item name: mbed.BootstrapDevicePrivateKey\n" +
				"Error status is: Public key format invalid:\n" +
				"Developer Certificate Provisioning failed.\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			writeFiles(t, root, other)
			run(t, root, "pelion-provisioning-util", "--provision")
			changed := maps.Clone(good)
			for variable, data := range test.change {
				changed[variable] = data
				if data == nil {
					delete(changed, variable)
				}
			}
			writeFiles(t, root, changed)
			want(t, run(t, root, "pelion-provisioning-util", "--provision"), result{1, "Provisioning device.\n", test.err})
			if got := run(t, root, "pelion-provisioning-util", "--get-pelion-status"); got.code != 0 {
				t.Errorf("the credentials stored before are not in order any more: %s", got.err)
			}
		})
	}
}

func TestTheStorageCannotBeWritten(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, files(t))
	must(t, os.MkdirAll(filepath.Join(root, "var/lib/mbl-device"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "var/lib/mbl-device/keystore"), nil, 0o600))
	got := run(t, root, "pelion-provisioning-util", "--provision")
	for _, text := range []string{"Failed to store KCM Item! Item name: mbed.UseBootstrap\n", "Developer Certificate Provisioning failed.\n", "not a directory"} {
		if !strings.Contains(got.err, text) {
			t.Errorf("stderr %q lacks %q", got.err, text)
		}
	}
	if got.code != 1 {
		t.Errorf("exit code %d", got.code)
	}
}

// What provisioning cannot mend, it says how to.
func TestADamagedStorageSaysWhatToDo(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, files(t))
	folder := filepath.Join(root, "var/lib/mbl-device/keystore")
	for _, name := range []string{"items.json", "key"} {
		must(t, os.RemoveAll(folder))
		if got := run(t, root, "pelion-provisioning-util", "--provision"); got.code != 0 {
			t.Fatalf("%+v", got)
		}
		must(t, os.WriteFile(filepath.Join(folder, name), []byte("cut"), 0o600))
		got := run(t, root, "pelion-provisioning-util", "--provision")
		first, _, _ := strings.Cut(got.err, "\n")
		if got.code != 1 || !strings.HasSuffix(first, name+": the stored data is damaged or was stored by another device; remove its folder and provision again") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWrongUseShowsTheUsage(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		code int
	}{
		{"pelion-provisioning-util", nil, 2},
		{"pelion-provisioning-util", []string{"--provision", "--get-pelion-status"}, 2},
		{"pelion-provisioning-util", []string{"--provision", "--provision"}, 2},
		{"pelion-provisioning-util", []string{"--provision=true"}, 2},
		{"pelion-provisioning-util", []string{"--provision", "extra"}, 2},
		{"pelion-provisioning-util", []string{"-provision"}, 2},
		{"pelion-provisioning-util", []string{"run"}, 2},
		{"pelion-provisioning-util", []string{"status"}, 2},
		{"pelion-provisioning-util", []string{"check-server"}, 2},
		{"mbl-device", []string{"run", "--server", "coaps://localhost:1"}, 2},
		{"pelion-provisioning-util", []string{"--help"}, 0},
		{"pelion-provisioning-util", []string{"-h"}, 2}, // the original knows no short forms
		{"pelion-provisioning-util", []string{"--version"}, 2},
		{"mbl-device", nil, 2},
		{"mbl-device", []string{"run", "status"}, 2},
		{"mbl-device", []string{"--kcm-item-store"}, 2},
		{"mbl-device", []string{"run", "--lifetime", "59s"}, 2},
		{"mbl-device", []string{"run", "--json"}, 2},
		{"mbl-device", []string{"--help"}, 0},
		{"mbl-device", []string{"run", "--help"}, 0},
		{"mbl-device", []string{"-h", "check-server"}, 0},
	} {
		root := t.TempDir()
		got := run(t, root, test.name, test.args...)
		if got.code != test.code || !strings.HasPrefix(got.out, "Usage:\n  "+test.name) {
			t.Errorf("%s %q: code %d, stdout %q", test.name, test.args, got.code, got.out)
		}
		if made, err := os.ReadDir(root); err != nil || len(made) > 0 {
			t.Errorf("%s %q made %v, %v", test.name, test.args, made, err)
		}
	}
}

func TestWarningsAreShownOnRequest(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, files(t))
	run(t, root, "mbl-device", "--provision")
	got := run(t, root, "mbl-device", "--get-pelion-status", "--verbose")
	if got.code != 0 || !strings.Contains(got.err, "Certificate is self signed:mbed.BootstrapDeviceCert") {
		t.Errorf("code %d, stderr %q", got.code, got.err)
	}
}

func TestStatusForMachines(t *testing.T) {
	root := t.TempDir()
	type report struct {
		Provisioned  *bool  `json:"provisioned"`
		DeviceID     string `json:"device_id"`
		EndpointName string `json:"endpoint_name"`
		AccountID    string `json:"account_id"`
		Registered   *bool  `json:"registered"`
		Problem      string `json:"problem"`
		Key          string `json:"key_protection"`
	}
	read := func() report {
		t.Helper()
		got := run(t, root, "mbl-device", "status", "--json")
		var r report
		decoder := json.NewDecoder(strings.NewReader(got.out))
		decoder.DisallowUnknownFields()
		must(t, decoder.Decode(&r))
		if got.code != 0 || got.err != "" || r.Provisioned == nil || r.Registered == nil {
			t.Fatalf("code %d, stdout %q, stderr %q", got.code, got.out, got.err)
		}
		return r
	}
	if r := read(); *r.Provisioned || *r.Registered || r.Problem != "Item does not exist:mbed.UseBootstrap" {
		t.Errorf("unprovisioned: %+v", r)
	}
	writeFiles(t, root, files(t))
	run(t, root, "mbl-device", "--provision")
	if r := read(); !*r.Provisioned || *r.Registered || r.DeviceID != "" || r.EndpointName != endpoint || r.AccountID != "acc" || r.Problem != "" {
		t.Errorf("provisioned: %+v", r)
	}
	if got := run(t, root, "mbl-device", "status"); !strings.Contains(got.out, "Provisioned:   yes\n") || !strings.Contains(got.out, endpoint) {
		t.Errorf("for people: %q", got.out)
	}
}

func TestOnlyOneRunsOnAState(t *testing.T) {
	root := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	started, done := make(chan struct{}), make(chan int)
	go func() {
		done <- deviceapp.Main(ctx, &iostreams.System{
			Name: "mbl-device", Args: []string{"run", "--root", root}, Out: &bytes.Buffer{}, Err: &signal{when: "waiting for credentials", then: started},
		})
	}()
	<-started
	got := run(t, root, "mbl-device", "run")
	if got.code != 1 || !strings.Contains(got.err, "another mbl-device is running") {
		t.Errorf("the second: %+v", got)
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("the first ended with %d", code)
	}
	names := []string{}
	entries, err := os.ReadDir(filepath.Join(root, "var/lib/mbl-device"))
	must(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if !slices.Equal(names, []string{"run.lock"}) {
		t.Errorf("left behind: %q", names)
	}
}

// signal closes a channel when a text has been written to it.
type signal struct {
	when string
	then chan struct{}
	seen bytes.Buffer
}

func (s *signal) Write(p []byte) (int, error) {
	before := strings.Contains(s.seen.String(), s.when)
	s.seen.Write(p)
	if !before && strings.Contains(s.seen.String(), s.when) {
		close(s.then)
	}
	return len(p), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
