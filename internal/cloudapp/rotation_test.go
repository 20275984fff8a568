package cloudapp_test

import (
	"net"
	"strings"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/credential"
)

func rotate(t *testing.T, data, name string) {
	t.Helper()
	code, stdout, stderr := run(t, "ca", "rotate", name, "--data", data)
	if code != 0 || stdout != "" || !strings.Contains(stderr, name+" is rotated") {
		t.Fatalf("ca rotate %s exits with %d: %s%s", name, code, stdout, stderr)
	}
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, number, err := net.SplitHostPort(strings.TrimPrefix(address, "coaps://"))
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// A device keeps one certificate of each server. After both authorities were
// rotated it connects as before, and a new device meets the new ones.
func TestNoDeviceIsTouchedByARotation(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	developer := r.developer("a")
	first := accountOf(t, developer)
	device := first.bootstrap(t, developer, first.connectUDP(t))
	bootstrap, lwm2m := strings.TrimPrefix(r.addresses.Bootstrap, "coaps://"), strings.TrimPrefix(r.addresses.LwM2M, "coaps://")
	key := r.key

	if code, _, stderr := run(t, "ca", "rotate", "lwm2m", "--data", data); code != 1 || !strings.Contains(stderr, "stop it first") {
		t.Errorf("while it serves: exit code %d: %s", code, stderr)
	}
	r.stop()
	for _, name := range []string{"bootstrap", "lwm2m", "devices", "identities", "https"} {
		rotate(t, data, name)
	}
	code, _, stderr := run(t, append([]string{"serve", "--data", data}, anyPort...)...)
	if code != 1 || !strings.Contains(stderr, "--bootstrap-earlier") {
		t.Errorf("without the earlier addresses serve exits with %d: %s", code, stderr)
	}

	r = serve(t, data, "--bootstrap-earlier", bootstrap, "--lwm2m-earlier", lwm2m)
	r.key = key
	if port(t, r.addresses.BootstrapEarlier) != port(t, bootstrap) || port(t, r.addresses.LwM2MEarlier) != port(t, lwm2m) {
		t.Errorf("run.json says %+v", r.addresses)
	}
	if code, _ := post(t, device.connectUDP(t), registration(developer), nil); code != coap.Created {
		t.Errorf("the device from before registers and is answered %v", code)
	}
	newcomer := r.developer("b")
	second := accountOf(t, newcomer)
	if port(t, second.address) != port(t, r.addresses.Bootstrap) || string(second.ca) == string(first.ca) {
		t.Error("new devices are given the earlier bootstrap server")
	}
	online := second.bootstrap(t, newcomer, second.connectUDP(t))
	if port(t, online.address) != port(t, r.addresses.LwM2M) || string(online.ca) == string(device.ca) {
		t.Error("new devices are given the earlier LwM2M server")
	}
	if code, _ := post(t, online.connectUDP(t), registration(newcomer), nil); code != coap.Created {
		t.Errorf("a new device registers and is answered %v", code)
	}
	r.stop()

	retireWhenTheDeviceHasMoved(t, data, key, first, developer, bootstrap, lwm2m)
}

func retireWhenTheDeviceHasMoved(t *testing.T, data, key string, first *account, developer *credential.Developer, bootstrap, lwm2m string) {
	t.Helper()
	if _, stdout, _ := run(t, "ca", "list", "--data", data); strings.Count(stdout, "\n") != 8 || !strings.Contains(stdout, "lwm2m-earlier") {
		t.Errorf("ca list prints %s", stdout)
	}
	code, _, stderr := run(t, "ca", "retire", "lwm2m", "--data", data)
	if code != 1 || !strings.Contains(stderr, "devices that trust only the earlier one: 1") {
		t.Errorf("ca retire exits with %d: %s", code, stderr)
	}
	r := serve(t, data, "--bootstrap-earlier", bootstrap, "--lwm2m-earlier", lwm2m)
	r.key = key
	devices := r.must("GET", "/v3/devices?order=ASC", "", 200)["data"].([]any)
	id := devices[0].(map[string]any)["id"].(string)
	first.bootstrap(t, developer, first.connectUDP(t), "iep="+id)
	r.stop()
	if code, _, stderr := run(t, "ca", "retire", "lwm2m", "--data", data); code != 0 {
		t.Errorf("ca retire exits with %d: %s", code, stderr)
	}
	if code, _, stderr := run(t, "ca", "retire", "lwm2m", "--data", data); code != 1 || !strings.Contains(stderr, "no earlier") {
		t.Errorf("retired twice: exit code %d: %s", code, stderr)
	}
	_, stdout, _ := run(t, "audit", "--data", data)
	for _, done := range []string{"rotate authority  devices\n", "rotate authority  lwm2m\n", "retire authority  lwm2m-earlier\n"} {
		if !strings.Contains(stdout, "  command line  -  "+done) {
			t.Errorf("the audit shows no %q:\n%s", done, stdout)
		}
	}
}
