package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/pki"
	"mbl/internal/secret"
	"mbl/internal/ssh"
)

const (
	developerVector = "../../testdata/vectors/mbed_cloud_dev_credentials.example.c"
	updateVector    = "../../testdata/vectors/manifest-tool-1.4.8/update_default_resources.c"
	otherUpdate     = "../../testdata/vectors/manifest-tool-2.6.2/update_default_resources.c"
)

// desk is a workstation whose service and device are fakes, and whose stores
// are real. journal lists what was done in which order.
type desk struct {
	Workstation
	t       *testing.T
	mu      sync.Mutex
	stores  *credstore.Stores
	service *fakeService
	device  *fakeDevice
	journal []string
	offline bool // the device cannot be reached
	noKey   bool // there is no API key
}

var errNoKey = errors.New("no API key")

func newDesk(t *testing.T) *desk {
	t.Helper()
	stores, err := credstore.Open(credstore.Config{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, stores: stores}
	d.service = &fakeService{desk: d, certificates: map[string]string{}, devices: map[string]*cloudapi.Device{}}
	if d.service.authority, err = pki.NewAuthority("identities"); err != nil {
		t.Fatal(err)
	}
	d.device = &fakeDevice{desk: d}
	d.Workstation = Workstation{Store: stores, Service: d.openService, Connect: d.connect}
	return d
}

func (d *desk) did(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.journal = append(d.journal, fmt.Sprintf(format, args...))
}

func (d *desk) openService(context.Context) (Service, error) {
	if d.noKey {
		return nil, errNoKey
	}
	return d.service, nil
}

func (d *desk) connect(context.Context) (Connection, error) {
	d.did("contact")
	if d.offline {
		return nil, ssh.ErrUnreachable
	}
	return d.device, nil
}

func (d *desk) assertJournal(want ...string) {
	d.t.Helper()
	if !reflect.DeepEqual(d.journal, want) {
		d.t.Errorf("it did %q, want %q", d.journal, want)
	}
}

// assertStored checks what the team store holds.
func (d *desk) assertStored(want ...string) {
	d.t.Helper()
	entries, err := d.stores.List()
	if err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name)
	}
	if !reflect.DeepEqual(got, want) {
		d.t.Errorf("the team store holds %q, want %q", got, want)
	}
}

// fakeService has certificates by name, each with its credentials file.
type fakeService struct {
	desk         *desk
	certificates map[string]string
	otherNames   []string // of certificates that are no developer certificates
	devices      map[string]*cloudapi.Device
	spoil        func(source string) string

	cannotSign bool
	signed     []cloudapi.DeviceCertificateRequest
	authority  *pki.Authority
}

func (s *fakeService) CheckDeviceCertificates(context.Context) error {
	if s.cannotSign {
		return &cloudapi.Error{Status: http.StatusNotFound}
	}
	return nil
}

func (s *fakeService) HasDeviceCertificate(_ context.Context, _, endpointName string) (bool, error) {
	return strings.HasPrefix(endpointName, "own-"), nil
}

func (s *fakeService) SignDeviceCertificate(_ context.Context, request cloudapi.DeviceCertificateRequest) (*cloudapi.TrustedCertificate, error) {
	s.desk.did("sign")
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.signed = append(s.signed, request)
	key, err := pki.RequestedKey(request.CertificateRequest)
	if err != nil {
		return nil, err
	}
	developer, err := credential.ParseDeveloper([]byte(vector(s.desk.t, developerVector)))
	if err != nil {
		return nil, err
	}
	name := cmp.Or(request.EndpointName, fmt.Sprintf("own-%d", len(s.signed)))
	der, err := s.authority.IssueIdentity(developer.AccountID, name, key, time.Now(), time.Now().AddDate(10, 0, 0))
	return &cloudapi.TrustedCertificate{ID: "id of " + name, Certificate: pki.CertificatePEM(der)}, err
}

func (s *fakeService) CreateDeveloperCertificate(_ context.Context, name, _ string) (*cloudapi.DeveloperCertificate, error) {
	s.desk.did("create %s", name)
	_, taken := s.certificates[name]
	for _, other := range s.otherNames {
		taken = taken || other == name
	}
	if taken {
		return nil, &cloudapi.Error{Status: http.StatusConflict}
	}
	s.certificates[name] = vector(s.desk.t, developerVector)
	return s.DeveloperCertificate(context.Background(), name)
}

func (s *fakeService) DeveloperCertificateByName(_ context.Context, name string) (*cloudapi.TrustedCertificate, error) {
	if _, ok := s.certificates[name]; !ok {
		return nil, &cloudapi.Error{Status: http.StatusNotFound}
	}
	developer, err := credential.ParseDeveloper([]byte(vector(s.desk.t, developerVector)))
	if err != nil {
		return nil, err
	}
	return &cloudapi.TrustedCertificate{ID: name, Name: name, Certificate: pki.CertificatePEM(developer.DeviceCertificate)}, nil
}

func (s *fakeService) DeveloperCertificate(_ context.Context, id string) (*cloudapi.DeveloperCertificate, error) {
	source := s.certificates[id]
	if s.spoil != nil {
		source = s.spoil(source)
	}
	return &cloudapi.DeveloperCertificate{ID: id, Name: id, SecurityFileContent: secret.New(source)}, nil
}

func (s *fakeService) Device(_ context.Context, id string) (*cloudapi.Device, error) {
	device, ok := s.devices[id]
	if !ok {
		return nil, &cloudapi.Error{Status: http.StatusNotFound}
	}
	return device, nil
}

func (s *fakeService) UpdateDevice(_ context.Context, id string, update cloudapi.DeviceUpdate) (*cloudapi.Device, error) {
	s.devices[id].Name = *update.Name
	return s.devices[id], nil
}

// fakeDevice answers as the script would.
type fakeDevice struct {
	desk   *desk
	script string
	lost   bool
	state  string // what mbl-device says; empty: there is none
	refuse bool
}

func (f *fakeDevice) Close() error { return nil }

func (f *fakeDevice) Run(_ context.Context, cmd ssh.Command) (int, error) {
	f.desk.did("send")
	script, err := io.ReadAll(cmd.Stdin)
	if err != nil {
		return 0, err
	}
	f.script = string(script)
	if f.lost {
		return 0, ssh.ErrDropped
	}
	_, rest, _ := strings.Cut(f.script, "mark='")
	mark, _, _ := strings.Cut(rest, "'")
	say := func(words, output string) { fmt.Fprintf(cmd.Stdout, "\n%s %s\n%s", mark, words, output) }
	exit := 0
	if f.refuse {
		exit = 1
	}
	say("begin provision", "Provisioning device.\n")
	say(fmt.Sprintf("end provision %d", exit), "")
	if !f.refuse {
		say("begin status", "Device is configured correctly.\n")
		say("end status 0", "")
		if f.state != "" {
			say("begin device", f.state)
			say("end device 0", "")
			say("begin host", "board\n")
			say("end host 0", "")
		}
		say("done", "")
	}
	say("tidy gone", "")
	return 0, nil
}

func vector(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func createPlan() Plan { return Plan{Certificate: "boards", Create: true, Update: updateVector} }

func TestTheDeviceIsContactedBeforeACertificateIsCreated(t *testing.T) {
	d := newDesk(t)
	result, err := d.Run(t.Context(), createPlan())
	if err != nil {
		t.Fatal(err)
	}
	d.assertJournal("contact", "create boards", "send")
	d.assertStored("boards")
	if result.Source != Created || result.EndpointName == "" || !result.Answer.Tidied {
		t.Errorf("result: %+v", result)
	}
}

// The original leaves a certificate in the service for a device it never
// reached, and then refuses to go on.
func TestNothingIsCreatedForADeviceThatCannotBeReached(t *testing.T) {
	d := newDesk(t)
	d.offline = true
	if _, err := d.Run(t.Context(), createPlan()); !errors.Is(err, ssh.ErrUnreachable) {
		t.Errorf("err = %v", err)
	}
	d.assertJournal("contact")
	d.assertStored()
}

func TestEverythingWrongIsFoundBeforeTheDeviceIsContacted(t *testing.T) {
	tests := map[string]struct {
		plan    Plan
		prepare func(d *desk)
		want    error
	}{
		"a name with a slash":       {Plan{Certificate: "../boards", Update: updateVector}, nil, credstore.ErrName},
		"a name of dots":            {Plan{Certificate: "..", Update: updateVector}, nil, credstore.ErrName},
		"an update name with dots":  {Plan{Certificate: "boards", Update: "..", UpdateFile: updateVector}, nil, credstore.ErrName},
		"one name for both":         {Plan{Certificate: "boards", Update: "boards"}, nil, ErrOneName},
		"no such file":              {Plan{Certificate: "boards", Update: "./gone.c"}, nil, os.ErrNotExist},
		"a folder":                  {Plan{Certificate: "boards", Update: "../provision"}, nil, ErrFile},
		"another kind of file":      {Plan{Certificate: "boards", Update: developerVector}, nil, ErrFile},
		"no such update":            {Plan{Certificate: "boards", Update: "updates"}, nil, ErrNoUpdate},
		"no such certificate":       {Plan{Certificate: "boards", Update: updateVector}, nil, ErrNoCertificate},
		"no key to look with":       {Plan{Certificate: "boards", Update: updateVector}, func(d *desk) { d.noKey = true }, errNoKey},
		"no key to create with":     {createPlan(), func(d *desk) { d.noKey = true }, errNoKey},
		"created before":            {createPlan(), func(d *desk) { d.hasDeveloper("boards") }, ErrCreated},
		"the name of an update":     {createPlan(), func(d *desk) { d.hasUpdate("boards") }, ErrOtherKind},
		"an update for a developer": {Plan{Certificate: "boards", Update: updateVector}, func(d *desk) { d.hasUpdate("boards") }, ErrOtherKind},
		"a developer for an update": {Plan{Certificate: "boards", Update: "updates"}, func(d *desk) { d.hasDeveloper("updates") }, ErrOtherKind},
		"a developer's name for -p": {Plan{Certificate: "boards", Update: "updates", UpdateFile: updateVector}, func(d *desk) { d.hasDeveloper("updates") }, ErrOtherKind},
		"another update":            {Plan{Certificate: "boards", Update: "updates", UpdateFile: otherUpdate}, func(d *desk) { d.hasUpdate("updates") }, ErrOtherUpdate},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if test.prepare != nil {
				test.prepare(d)
			}
			before, err := d.stores.List()
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Run(t.Context(), test.plan)
			if !errors.Is(err, test.want) {
				t.Errorf("err = %v, want %v", err, test.want)
			}
			d.assertJournal()
			after, err := d.stores.List()
			if err != nil || len(after) != len(before) {
				t.Errorf("the team store went from %d to %d entries, %v", len(before), len(after), err)
			}
		})
	}
}

func TestCredentialsThatNoDeviceCanUseAreNotSent(t *testing.T) {
	d := newDesk(t)
	d.service.certificates["boards"] = strings.Replace(vector(t, developerVector), `ENDPOINT_NAME[] = "`, `ENDPOINT_NAME[] = "x`, 1)
	_, err := d.Run(t.Context(), Plan{Certificate: "boards", Update: updateVector})
	var check *credential.CheckError
	if !errors.As(err, &check) || check.Item != credential.VarDeviceCertificate {
		t.Errorf("err = %v", err)
	}
	d.assertJournal()
	d.assertStored()
}

func (d *desk) hasDeveloper(name string) {
	d.t.Helper()
	developer, err := credential.ParseDeveloper([]byte(vector(d.t, developerVector)))
	if err == nil {
		err = d.stores.SaveDeveloper(d.t.Context(), name, developer)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) hasUpdate(name string) {
	d.t.Helper()
	update, err := credential.ParseUpdate([]byte(vector(d.t, updateVector)))
	if err == nil {
		err = d.stores.SaveUpdate(d.t.Context(), name, update)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestACertificateOfTheServiceIsFoundAndKept(t *testing.T) {
	d := newDesk(t)
	d.service.certificates["boards"] = vector(t, developerVector)
	for _, want := range []Source{FromService, FromStore} {
		result, err := d.Run(t.Context(), Plan{Certificate: "boards", Update: updateVector})
		if err != nil || result.Source != want {
			t.Errorf("the certificate came from %q, %v; want %q", result.Source, err, want)
		}
	}
	d.assertStored("boards")
}

func TestAnUpdateFileIsKeptUnderItsName(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	plan := Plan{Certificate: "boards", Update: "updates", UpdateFile: updateVector}
	for range 2 { // the second time it is there already
		if _, err := d.Run(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
	}
	d.assertStored("boards", "updates")
	plan.UpdateFile = ""
	if _, err := d.Run(t.Context(), plan); err != nil {
		t.Error(err)
	}
}

func TestARepetitionGoesOnAfterALostConnection(t *testing.T) {
	d := newDesk(t)
	d.device.lost = true
	result, err := d.Run(t.Context(), createPlan())
	if !errors.Is(err, ssh.ErrDropped) || result.Source != Created || !result.Sent || result.Answer.Tidied {
		t.Errorf("err = %v, result %+v", err, result)
	}
	d.assertStored("boards")
	d.device.lost = false
	plan := createPlan()
	if _, err := d.Run(t.Context(), plan); !errors.Is(err, ErrCreated) {
		t.Errorf("with --create-dev-cert again: %v", err)
	}
	plan.Create = false
	if _, err := d.Run(t.Context(), plan); err != nil {
		t.Errorf("without: %v", err)
	}
}

func TestANameThatIsTakenInTheService(t *testing.T) {
	d := newDesk(t)
	d.service.certificates["boards"] = vector(t, developerVector)
	if _, err := d.Run(t.Context(), createPlan()); !errors.Is(err, ErrCreated) {
		t.Errorf("by a developer certificate: %v", err)
	}
	delete(d.service.certificates, "boards")
	d.service.otherNames = []string{"boards"}
	if _, err := d.Run(t.Context(), createPlan()); !errors.Is(err, ErrNameTaken) {
		t.Errorf("by another certificate: %v", err)
	}
	d.assertStored()
}

func TestAServiceThatCreatesWhatNoDeviceCanUse(t *testing.T) {
	d := newDesk(t)
	d.service.spoil = func(string) string { return "<html>" }
	if _, err := d.Run(t.Context(), createPlan()); err == nil {
		t.Error("it went through")
	}
	d.assertJournal("contact", "create boards")
	d.assertStored()
}

func TestOnlyKnownVariablesTravelAndNoSecretStandsInTheCommand(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	stray := filepath.Join(d.stores.Team.Path(), "boards", "stray.bin")
	if err := os.WriteFile(stray, []byte("not for devices"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Run(t.Context(), Plan{Certificate: "boards", Update: updateVector}); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for line := range strings.Lines(d.device.script) {
		rest, ok := strings.CutPrefix(line, "mbl_put '")
		if !ok {
			continue
		}
		sent++
		name, _, _ := strings.Cut(rest, "'")
		if !credential.IsDeveloperVariable(name) && !credential.IsUpdateVariable(name) {
			t.Errorf("%s was sent", name)
		}
	}
	if sent < 14 {
		t.Errorf("%d variables were sent, the util wants 14", sent)
	}
}

func TestADeviceIsNamedAfterItsHostName(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	d.device.state = `{"provisioned":true,"device_id":"d1"}`
	d.service.devices["d1"] = &cloudapi.Device{ID: "d1"}
	plan := Plan{Certificate: "boards", Update: updateVector}
	result, err := d.Run(t.Context(), plan)
	if err != nil || result.Named != "board" || d.service.devices["d1"].Name != "board" {
		t.Errorf("named %q, %v", result.Named, err)
	}
	d.service.devices["d1"].Name = "kitchen"
	if result, err = d.Run(t.Context(), plan); err != nil || result.Named != "" || d.service.devices["d1"].Name != "kitchen" {
		t.Errorf("a name somebody gave was replaced by %q, %v", result.Named, err)
	}
	delete(d.service.devices, "d1")
	if _, err = d.Run(t.Context(), plan); err != nil {
		t.Errorf("a device without an entry: %v", err)
	}
}

func TestTheUtilsRefusalEndsTheProvisioning(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	d.device.refuse = true
	result, err := d.Run(t.Context(), Plan{Certificate: "boards", Update: updateVector})
	if !errors.Is(err, ErrToolFailed) || result.Answer.Provision.Exit != 1 {
		t.Errorf("err = %v, result %+v", err, result)
	}
}
