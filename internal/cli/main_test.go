package cli_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mbl/internal/cli"
	"mbl/internal/iostreams"
)

// person is somebody at a terminal who types answers.
type person struct {
	home    string
	answers string
	out     bytes.Buffer
	err     bytes.Buffer
}

func (p *person) run(ctx context.Context, args ...string) int {
	p.out.Reset()
	p.err.Reset()
	return cli.Main(ctx, &iostreams.System{
		Args: args, Name: "mbl-cli",
		In: strings.NewReader(p.answers), Out: &p.out, Err: &p.err,
		InTTY: true, OutTTY: true, ErrTTY: true,
		Getenv: func(name string) string { return map[string]string{"HOME": p.home}[name] },
	})
}

// login is a person with a key saved for a fake service.
func login(t *testing.T) (*person, *fakeService) {
	t.Helper()
	service := newFakeService(t.Cleanup)
	p := &person{home: t.TempDir(), answers: "ak_1good\n"}
	if code := p.run(t.Context(), "--api-url", service.url, "save-api-key"); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	return p, service
}

func TestDeletingAsksAndOnlyYesDeletes(t *testing.T) {
	for _, answer := range []string{"\n", "n\n", "nope\n", ""} {
		p, service := login(t)
		p.answers = answer
		if code := p.run(t.Context(), "delete-certificate", "boards"); code != 255 {
			t.Errorf("answer %q: exit code %d", answer, code)
		}
		if strings.Contains(service.journal(), "DELETE") || !strings.Contains(p.err.String(), "Delete the developer certificate boards (service)? [y/N]") {
			t.Errorf("answer %q: %s", answer, p.err.String())
		}
	}
	for _, answer := range []string{"y\n", "Yes\n", "y"} {
		p, service := login(t)
		p.answers = answer
		if code := p.run(t.Context(), "delete-certificate", "boards"); code != 0 {
			t.Errorf("answer %q: exit code %d: %s", answer, code, p.err.String())
		}
		if !strings.Contains(service.journal(), "DELETE") {
			t.Errorf("answer %q: nothing was deleted", answer)
		}
	}
}

func TestCtrlCEndsWithOneLine(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	p := &person{home: t.TempDir(), answers: "ak_1good\n"}
	if code := p.run(ctx, "-q", "--api-url", silent.URL, "save-api-key", "-"); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if p.err.String() != "mbl-cli: interrupted\n" || p.out.Len() != 0 {
		t.Errorf("said %q and %q", p.err.String(), p.out.String())
	}
}

func TestNoInputNeverAsks(t *testing.T) {
	p := &person{home: t.TempDir(), answers: "ak_1good\n"}
	if code := p.run(t.Context(), "--no-input", "save-api-key"); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.err.String(), "--no-input forbids") {
		t.Errorf("said %q", p.err.String())
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	p := &person{home: t.TempDir()}
	for _, command := range []string{
		"save-api-key", "api-key list", "api-key use", "api-key forget", "store show", "store init", "create-update-certificate", "list-certificates", "delete-certificate", "device list", "device show",
	} {
		if code := p.run(t.Context(), append(strings.Fields(command), "--help")...); code != 0 {
			t.Errorf("%s --help: exit code %d", command, code)
		}
		help := p.out.String()
		examples, usage := strings.Index(help, "\nExamples:\n  mbl-cli"), strings.Index(help, "\nUsage:\n  mbl-cli "+command)
		if examples < 0 || usage < examples {
			t.Errorf("%s: no examples, or not first:\n%s", command, help)
		}
	}
}
