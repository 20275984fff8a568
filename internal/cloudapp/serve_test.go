package cloudapp_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/coap"
	"mbl/internal/credential"
	"mbl/internal/pki"
)

func TestTheFirstStartPrintsAKeyOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := serve(t, data)
	if keys := keyText.FindAllString(first.stdout.String(), -1); len(keys) != 1 {
		t.Fatalf("the first start prints %q", first.stdout.String())
	}
	if strings.Contains(first.stderr.String(), first.key) {
		t.Error("the key is in the log")
	}
	account := first.must("GET", "/v3/accounts/me", "", 200)["id"]
	first.stop()
	second := serve(t, data)
	if second.stdout.String() != "" {
		t.Errorf("the second start prints %q", second.stdout.String())
	}
	second.key = first.key
	if again := second.must("GET", "/v3/accounts/me", "", 200)["id"]; again != account {
		t.Errorf("the account is %v", again)
	}
	second.stop()
}

func TestTheDataIsForTheServicesUserOnly(t *testing.T) {
	data := t.TempDir() // mode 0755
	r := serve(t, data)
	r.must("POST", "/v3/developer-certificates", `{"name":"a"}`, 201)
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
	}
}

func TestUnderSystemdTheKeyStaysOutOfTheJournal(t *testing.T) {
	for _, variable := range []string{"INVOCATION_ID=0123", "JOURNAL_STREAM=8:1"} {
		data := t.TempDir()
		r := serveIn(t, []string{variable}, data)
		if output := r.stdout.String() + r.stderr.String(); strings.Contains(output, "ak_1") {
			t.Errorf("with %s it prints %q", variable, output)
		}
		if !strings.Contains(r.stderr.String(), "api-key create --data "+data) {
			t.Errorf("the log does not say how to make a key: %q", r.stderr.String())
		}
		code, stdout, stderr := run(t, "api-key", "create", "--data", data, "--name", "n", "--group", "administrators")
		if r.key = strings.TrimSpace(stdout); code != 0 || len(r.key) != 111 {
			t.Fatalf("api-key create exits with %d: %s%s", code, stdout, stderr)
		}
		r.must("GET", "/v3/api-keys", "", 200)
		r.stop()
	}
}

func TestNothingAnsweredIsLostByAKill(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	wanted := map[string]string{} // path: a value it must still have
	for i := range 20 {
		certificate := r.must("POST", "/v3/developer-certificates", fmt.Sprintf(`{"name":"certificate %d"}`, i), 201)
		key := r.must("POST", "/v3/api-keys", fmt.Sprintf(`{"name":"key %d"}`, i), 201)
		wanted["/v3/developer-certificates/"+fmt.Sprint(certificate["id"])] = fmt.Sprint(certificate["developer_private_key"])
		wanted["/v3/api-keys/"+fmt.Sprint(key["id"])] = fmt.Sprint(key["name"])
	}
	deleted := r.must("POST", "/v3/developer-certificates", `{"name":"deleted"}`, 201)
	r.must("DELETE", "/v3/trusted-certificates/"+fmt.Sprint(deleted["id"]), "", 204)
	r.kill()
	if _, err := os.Stat(filepath.Join(data, "run.json")); err != nil {
		t.Errorf("a killed service cannot have removed run.json: %v", err)
	}

	again := serve(t, data)
	again.key = r.key
	for path, value := range wanted {
		got := again.must("GET", path, "", 200)
		if got["developer_private_key"] != value && got["name"] != value {
			t.Errorf("%s is %v", path, got)
		}
	}
	again.must("GET", "/v3/trusted-certificates/"+fmt.Sprint(deleted["id"]), "", 404)
	if list := again.must("GET", "/v3/trusted-certificates", "", 200); list["total_count"] != 20.0 {
		t.Errorf("there are %v certificates", list["total_count"])
	}
	again.stop()
}

func TestNothingAnsweredIsLostByKillsInTheMiddle(t *testing.T) {
	data := t.TempDir()
	var key string
	var ids []string
	for range 5 {
		r := serve(t, data)
		if key == "" {
			key = r.key
		}
		r.key = key
		for _, id := range ids {
			r.must("GET", "/v3/api-keys/"+id, "", 200)
		}
		ids = append(ids, writeUntilKilled(r)...)
	}
	last := serve(t, data)
	last.key = key
	for _, id := range ids {
		last.must("GET", "/v3/api-keys/"+id, "", 200)
	}
	last.stop()
}

// writeUntilKilled has several clients write, kills the service among it and
// returns what it had answered.
func writeUntilKilled(r *running) (ids []string) {
	answered := make(chan string)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() { createUntilKilled(r, answered) })
	}
	for id := range answered {
		if ids = append(ids, id); len(ids) == 40 {
			r.command.Process.Kill() // Wait tells
			go func() { writers.Wait(); close(answered) }()
		}
	}
	r.command.Wait() // it was killed
	return ids
}

// createUntilKilled creates API keys and reports the ids that were answered.
func createUntilKilled(r *running, answered chan<- string) {
	for {
		request, err := http.NewRequest("POST", r.addresses.HTTP+"/v3/api-keys", strings.NewReader(`{"name":"n"}`))
		if err != nil {
			return
		}
		request.Header.Set("Authorization", "Bearer "+r.key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return
		}
		var made struct{ ID string }
		err = json.NewDecoder(response.Body).Decode(&made)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusCreated {
			return
		}
		answered <- made.ID
	}
}

func TestASecondServiceOnOneFolderIsRefused(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	code, _, stderr := run(t, append([]string{"serve", "--data", data}, anyPort...)...)
	if code != 1 || !strings.Contains(stderr, "serves from "+data+" already") {
		t.Errorf("the second exits with %d and says %q", code, stderr)
	}
	r.waitUntilReady() // run.json is still the first one's
	r.must("GET", "/healthz", "", 200)
	r.stop()
}

func TestWithoutItsSealKeyItDoesNotStart(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	certificate := r.must("POST", "/v3/developer-certificates", `{"name":"a"}`, 201)
	r.stop()
	path := filepath.Join(data, "seal.key")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"missing": nil, "cut off": good[:31], "empty": {}, "another": []byte(strings.Repeat("x", 32)),
	} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if content != nil {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		code, stdout, stderr := run(t, append([]string{"serve", "--data", data}, anyPort...)...)
		if code != 1 || stdout != "" || !strings.Contains(stderr, "seal key "+path) || !strings.Contains(stderr, "backup") {
			t.Errorf("%s: it exits with %d and says %q", name, code, stderr)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := serve(t, data)
	again.key = r.key
	again.must("GET", "/v3/developer-certificates/"+fmt.Sprint(certificate["id"]), "", 200)
	again.stop()
}

func TestAPIKeysAreMadeWhileItServesAndWhileItDoesNot(t *testing.T) {
	data := t.TempDir()
	if code, _, stderr := run(t, "api-key", "create", "--data", data, "--name", "n"); code != 1 || !strings.Contains(stderr, "serve") {
		t.Errorf("before the first start: %d, %q", code, stderr)
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) > 0 {
		t.Errorf("it left %v behind, %v", entries, err)
	}
	r := serve(t, data)
	makeKey := func(more ...string) string {
		t.Helper()
		code, stdout, stderr := run(t, append([]string{"api-key", "create", "--data", data, "--name", "n"}, more...)...)
		if code != 0 || !keyText.MatchString(stdout) || strings.Count(stdout, "\n") != 1 || stderr != "" {
			t.Fatalf("it exits with %d and says %q, %q", code, stdout, stderr)
		}
		return strings.TrimSpace(stdout)
	}
	r.key = makeKey()
	r.must("GET", "/v3/accounts/me", "", 200)
	r.must("GET", "/v3/api-keys", "", 403)
	r.key = makeKey("--group", "administrators")
	r.must("GET", "/v3/api-keys", "", 200)
	r.stop()
	offline := makeKey()
	again := serve(t, data)
	again.key = offline
	again.must("GET", "/v3/accounts/me", "", 200)
	again.stop()
}

func TestWrongUseIsExitCodeTwo(t *testing.T) {
	data := t.TempDir()
	config := filepath.Join(data, "config.yaml")
	if err := os.WriteFile(config, []byte("colour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{
		{"serve", "--nonsense"},
		{"nonsense"},
		{"api-key", "create"},
		{"api-key", "create", "--name", "n", "--group", "kings"},
		{"serve", "more"},
		{"serve", "--https-cert", "x"},
		{"serve", "--acme", "mycloud.example.net"}, // without --https
		{"serve", "--https", "127.0.0.1:0", "--acme", "mycloud"},
		{"serve", "--https", "127.0.0.1:0", "--acme", "MyCloud.example.net"},
		{"serve", "--https", "127.0.0.1:0", "--acme-email", "x@example.net"},
		{"serve", "--https", "127.0.0.1:0", "--https-cert", "x", "--https-key", "y", "--acme", "mycloud.example.net"},
		{"serve", "--host", "http://example.com"},
		{"serve", "--host", "example.com:80"},
		{"serve", "--http", "8080"},
		{"serve", "--lwm2m-earlier", "127.0.0.1"},
		{"serve", "--certificates", "-1"},
		{"serve", "--config", config},
		{"serve", "--config", filepath.Join(data, "none")},
	} {
		if code, stdout, stderr := run(t, append(arguments, "--data", filepath.Join(data, "never"))...); code != 2 || stdout != "" || stderr == "" {
			t.Errorf("%v exits with %d and says %q, %q", arguments, code, stdout, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "never")); err == nil {
		t.Error("wrong use made a data folder")
	}
}

func TestAPortInUseIsExplained(t *testing.T) {
	r := serve(t, t.TempDir())
	address := strings.TrimPrefix(r.addresses.HTTP, "http://")
	code, _, stderr := run(t, "serve", "--data", t.TempDir(), "--http", address)
	if code != 1 || !strings.Contains(stderr, address) || !strings.Contains(stderr, "--http") {
		t.Errorf("it exits with %d and says %q", code, stderr)
	}
	r.stop()
}

func TestTheConfigurationFileStandsInForFlags(t *testing.T) {
	data := t.TempDir()
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := "host: devices.example\nacme: [a.example, b.example]\nhttps: 127.0.0.1:0\nacme-directory: http://127.0.0.1:1/\ncertificates: 1\nhttp: 192.0.2.1:1 # the command line says otherwise\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, data, "--config", config)
	if !strings.HasPrefix(r.addresses.Bootstrap, "coaps://devices.example:") {
		t.Errorf("the bootstrap server is %s", r.addresses.Bootstrap)
	}
	r.must("POST", "/v3/developer-certificates", `{"name":"a"}`, 201)
	r.must("POST", "/v3/developer-certificates", `{"name":"b"}`, 403)
	awaitLog(t, r, "host=b.example")
	r.stop()
}

func TestTheHostNameIsKeptAndAChangeIsTold(t *testing.T) {
	data := t.TempDir()
	host := func(more ...string) (string, string) {
		t.Helper()
		r := serve(t, data, more...)
		defer r.stop()
		address, err := url.Parse(r.addresses.Bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		return address.Hostname(), r.stderr.String()
	}
	if name, _ := host("--host", "first.example"); name != "first.example" {
		t.Errorf("at first it is %s", name)
	}
	if name, log := host(); name != "first.example" || strings.Contains(log, "WARN") {
		t.Errorf("without a flag it is %s; %s", name, log)
	}
	if name, log := host("--host", "second.example"); name != "second.example" || !strings.Contains(log, "first.example") {
		t.Errorf("changed it is %s; %s", name, log)
	}
	if name, _ := host("--host", "::1"); name != "::1" {
		t.Errorf("as IPv6 address it is %s", name)
	}
}

func TestALoopbackNameWithPublicHTTPSIsWarnedAbout(t *testing.T) {
	public := serve(t, t.TempDir(), "--https", ":0")
	if !strings.Contains(public.stderr.String(), "--host") {
		t.Errorf("the log is %s", public.stderr.String())
	}
	public.stop()
	private := serve(t, t.TempDir(), "--https", "127.0.0.1:0")
	if strings.Contains(private.stderr.String(), "WARN") {
		t.Errorf("the log is %s", private.stderr.String())
	}
	private.stop()
}

func get(t *testing.T, client *http.Client, address string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestHTTPSIsTrustedThroughTheExportedAuthority(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data, "--https", "127.0.0.1:0")
	_, exported, _ := run(t, "ca", "export", "--data", data)
	if file, err := os.ReadFile(r.addresses.CA); err != nil || string(file) != exported {
		t.Errorf("run.json names %q, exported is %q, %v", file, exported, err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(exported))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	if status, _ := get(t, client, r.addresses.HTTPS+"/healthz"); status != 200 {
		t.Errorf("answered %d", status)
	}
	if status, _ := get(t, client, strings.Replace(r.addresses.HTTPS, "127.0.0.1", "localhost", 1)+"/healthz"); status != 200 {
		t.Errorf("as localhost answered %d", status)
	}
	r.stop()
}

func TestMetricsCountRequestsAndDownloadsAreNotFound(t *testing.T) {
	r := serve(t, t.TempDir())
	r.must("GET", "/v3/devices/", "", 200)
	r.must("GET", "/v3/nothing", "", 404)
	r.must("POST", "/v3/devices", `{"name":"before it comes"}`, 201)
	status, text := get(t, http.DefaultClient, r.addresses.HTTP+"/metrics")
	for _, line := range []string{
		`mbl_http_requests_total{method="GET",route="/v3/devices",status="200"} 1`,
		`mbl_http_requests_total{method="any",route="",status="404"} 1`,
		`mbl_devices{state="registered"} 0`,
		`mbl_devices{state="unenrolled"} 1`,
		`mbl_certificates_expiring{days="30",kind="device"} 0`,
		`mbl_certificates_expiring{days="1",kind="trusted"} 0`,
		`mbl_certificates_expiring{days="7",kind="authority"} 0`,
	} {
		if status != 200 || !strings.Contains(text, line) {
			t.Errorf("the metrics (%d) have no %s", status, line)
		}
	}
	if status, again := get(t, http.DefaultClient, r.addresses.HTTP+"/metrics/"); status != 200 || !strings.HasPrefix(again, "# HELP") {
		t.Errorf("with a slash at its end the path is answered %d", status)
	}
	response, err := http.Post(r.addresses.HTTP+"/metrics", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 405 || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("metrics sent there are answered %s, allowed is %q", response.Status, response.Header.Get("Allow"))
	}
	if status, _ := get(t, http.DefaultClient, r.addresses.Download+"/anything"); status != 404 {
		t.Errorf("a download is answered %d", status)
	}
	r.stop()
}

func TestOnlyDeveloperCertificatesGetThroughTheBootstrapHandshake(t *testing.T) {
	r := serve(t, t.TempDir())
	made := r.must("POST", "/v3/developer-certificates", `{"name":"a"}`, 201)
	developer, err := credential.ParseDeveloper([]byte(fmt.Sprint(made["security_file_content"])))
	if err != nil {
		t.Fatal(err)
	}
	if wanted := r.addresses.Bootstrap + "?aid=" + developer.AccountID; developer.ServerURI != wanted {
		t.Errorf("the credentials say %s", developer.ServerURI)
	}
	dial := func(certificate []byte, private any) error {
		ca, err := pki.ParseCertificate(developer.ServerCACertificate)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := coap.Dial(t.Context(), strings.TrimPrefix(r.addresses.Bootstrap, "coaps://"), coap.DialConfig{
			Certificate: tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: private}, RootCA: ca,
		})
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	key, err := pki.ParsePrivateKey(developer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(developer.DeviceCertificate, key); err != nil {
		t.Errorf("the developer certificate is refused: %v", err)
	}
	strange, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := pki.SelfSignDeveloper(strange, developer.AccountID, developer.EndpointName, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(forged, strange); err == nil {
		t.Error("a forged certificate is accepted")
	}
	r.must("DELETE", "/v3/trusted-certificates/"+fmt.Sprint(made["id"]), "", 204)
	if err := dial(developer.DeviceCertificate, key); err == nil {
		t.Error("a deleted certificate is accepted")
	}
	r.stop()
}

func TestRunJSONNamesTheCAFromAnyFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	r := serve(t, "data", "--https", "127.0.0.1:0")
	t.Chdir(t.TempDir())
	if _, err := os.ReadFile(r.addresses.CA); err != nil {
		t.Error(err)
	}
}
