package diagnose_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/diagnose"
	"mbl/internal/ssh"
)

// service answers with what it holds.
type service struct {
	account error
	uri     string
}

func (service) BaseURL() string { return "https://service.example" }

func (s service) CurrentAccount(context.Context) (*cloudapi.Account, error) {
	return &cloudapi.Account{ID: "acc", Status: "ACTIVE"}, s.account
}

func (s service) ServerCredentials(context.Context, string) (*cloudapi.ServerCredentials, error) {
	return &cloudapi.ServerCredentials{URI: s.uri}, nil
}

// mute is a device that runs commands and says nothing.
type mute struct{ host string }

func (mute) Run(context.Context, ssh.Command) (int, error) { return 0, nil }
func (m mute) Target() ssh.Target                          { return ssh.Target{Host: m.host} }
func (mute) Close() error                                  { return nil }

// talker is a device that frames an answer to nothing but the end.
type talker struct{ mute }

func (talker) Run(_ context.Context, cmd ssh.Command) (int, error) {
	script, err := io.ReadAll(cmd.Stdin)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(script), "mark='")
	mark, _, _ := strings.Cut(rest, "'")
	_, err = io.WriteString(cmd.Stdout, "\n"+mark+" done\n")
	return 0, err
}

// newCheckup is one where all is well, but for what a device would say.
func newCheckup(t *testing.T) (*diagnose.Checkup, *credstore.Stores) {
	t.Helper()
	stores, err := credstore.Open(credstore.Config{Home: t.TempDir()})
	check(t, err)
	return &diagnose.Checkup{
		Stores:  func() (*credstore.Stores, error) { return stores, nil },
		Service: func(context.Context) (diagnose.Service, error) { return service{uri: "coaps://192.0.2.1:5684"}, nil },
		Search:  func(context.Context) (int, error) { return 1, nil },
		Connect: func(context.Context) (diagnose.Device, error) { return talker{mute{"192.0.2.7"}}, nil },
		Lookup:  func(context.Context, string) error { return nil },
		Now:     time.Now,
	}, stores
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, checks []diagnose.Check, name string, result diagnose.Result, text string) {
	t.Helper()
	at := slices.IndexFunc(checks, func(c diagnose.Check) bool { return c.Name == name })
	if at < 0 {
		t.Fatalf("no check %s in %+v", name, checks)
	}
	found := checks[at]
	said := found.Said + found.Remedy
	if found.Err != nil {
		said += found.Err.Error()
	}
	if found.Result != result || !strings.Contains(said, text) {
		t.Errorf("%+v, want %s and %q", found, result, text)
	}
}

func TestEveryLinkIsShownWhateverBreaks(t *testing.T) {
	names := []string{
		diagnose.UserStore, diagnose.TeamStore, diagnose.Certificate, diagnose.APIKey, diagnose.ServiceAnswers, diagnose.Account,
		diagnose.BootstrapAddress, diagnose.LwM2MAddress, diagnose.Discovery, diagnose.Login, diagnose.Util, diagnose.Provisioned,
		diagnose.Connected, diagnose.Storage, diagnose.Clock, diagnose.BootstrapReached,
	}
	broken := errors.New("broken")
	for what, spoil := range map[string]func(*diagnose.Checkup){
		"nothing":    func(*diagnose.Checkup) {},
		"the stores": func(c *diagnose.Checkup) { c.Stores = func() (*credstore.Stores, error) { return nil, broken } },
		"the key": func(c *diagnose.Checkup) {
			c.Service = func(context.Context) (diagnose.Service, error) { return nil, broken }
		},
		"the service": func(c *diagnose.Checkup) { c.Service = answering(service{account: broken}) },
		"the search":  func(c *diagnose.Checkup) { c.Search = func(context.Context) (int, error) { return 0, broken } },
		"the login": func(c *diagnose.Checkup) {
			c.Connect = func(context.Context) (diagnose.Device, error) { return nil, broken }
		},
		"the shell": func(c *diagnose.Checkup) {
			c.Connect = func(context.Context) (diagnose.Device, error) { return mute{}, nil }
		},
	} {
		t.Run(what, func(t *testing.T) {
			checkup, _ := newCheckup(t)
			spoil(checkup)
			var got []string
			for _, found := range checkup.Run(t.Context()) {
				got = append(got, found.Name)
			}
			if !slices.Equal(got, names) {
				t.Errorf("checked %q, want %q", got, names)
			}
		})
	}
}

func answering(s service) func(context.Context) (diagnose.Service, error) {
	return func(context.Context) (diagnose.Service, error) { return s, nil }
}

func TestARefusedKeyIsNoDeadService(t *testing.T) {
	checkup, _ := newCheckup(t)
	checkup.Service = answering(service{account: &cloudapi.Error{Status: 401}})
	checks := checkup.Run(t.Context())
	expect(t, checks, diagnose.ServiceAnswers, diagnose.OK, "answers")
	expect(t, checks, diagnose.Account, diagnose.Failed, "401")
	expect(t, checks, diagnose.BootstrapAddress, diagnose.NotTried, "")
}

func TestALoopbackAddressIsUselessForAnotherMachine(t *testing.T) {
	for host, want := range map[string]diagnose.Result{"192.0.2.7": diagnose.Failed, "127.0.0.1": diagnose.OK} {
		checkup, _ := newCheckup(t)
		checkup.Service = answering(service{uri: "coaps://127.0.0.1:5684?aid=x"})
		checkup.Connect = func(context.Context) (diagnose.Device, error) { return talker{mute{host}}, nil }
		expect(t, checkup.Run(t.Context()), diagnose.BootstrapAddress, want, "")
	}
}

func TestStoresThatOthersCanRead(t *testing.T) {
	checkup, stores := newCheckup(t)
	check(t, os.Chmod(stores.User.Path(), 0o755))
	expect(t, checkup.Run(t.Context()), diagnose.UserStore, diagnose.Failed, "chmod -R go-rwx")
}

func TestWhatAKilledWriterLeft(t *testing.T) {
	checkup, stores := newCheckup(t)
	check(t, os.Mkdir(filepath.Join(stores.Team.Path(), ".new-boards"), 0o700))
	expect(t, checkup.Run(t.Context()), diagnose.TeamStore, diagnose.Warning, ".new-boards")
}

func TestADamagedStoreIsNamed(t *testing.T) {
	checkup, stores := newCheckup(t)
	check(t, os.WriteFile(filepath.Join(stores.Team.Path(), "config.json"), []byte("{"), 0o600))
	expect(t, checkup.Run(t.Context()), diagnose.TeamStore, diagnose.Failed, "config.json")
}

func TestCertificatesAreWatched(t *testing.T) {
	source, err := os.ReadFile("../../testdata/vectors/mbed_cloud_dev_credentials.example.c")
	check(t, err)
	developer, err := credential.ParseDeveloper(source)
	check(t, err)
	checkup, stores := newCheckup(t)
	check(t, stores.SaveDeveloper(t.Context(), "boards", developer))
	expect(t, checkup.Run(t.Context()), diagnose.Certificate, diagnose.OK, "whole")

	checkup.Now = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }
	expect(t, checkup.Run(t.Context()), diagnose.Certificate, diagnose.Failed, "expired on")

	file := filepath.Join(stores.Team.Path(), "boards", "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin")
	check(t, os.Remove(file))
	expect(t, checkup.Run(t.Context()), diagnose.Certificate, diagnose.Failed, "delete-certificate boards --local")
}

func TestADeviceThatSaysNothing(t *testing.T) {
	checkup, _ := newCheckup(t)
	checkup.Connect = func(context.Context) (diagnose.Device, error) { return mute{"192.0.2.7"}, nil }
	for _, found := range checkup.Run(t.Context()) {
		if found.Name == diagnose.Login && !strings.HasSuffix(found.Said, "but it gave no answer") {
			t.Errorf("it is said: %q", found.Said)
		}
	}
}
