package stage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Workstation is a developer's machine: a home folder from which mbl-cli runs.
type Workstation struct {
	Home    string
	program string
	opts    Options
}

// NewWorkstation makes a home folder in dir. Environment variables that name
// a service or a key do not reach it. under is as in Options.
func NewWorkstation(program, dir string, under ...string) (*Workstation, error) {
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	return &Workstation{home, program, Options{Dir: home, Env: env, Under: under}}, nil
}

// Run runs mbl-cli and returns its standard output. A failure is an error that
// says what it printed.
func (w *Workstation) Run(args ...string) (string, error) {
	command := w.opts.command(w.program, args...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Dir = w.opts.Env, w.opts.Dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("mbl-cli %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errOut.String())
	}
	return out.String(), nil
}

// Prepare does what a developer does once: keeps the API key and makes an
// update-authority certificate, named "updates".
func (w *Workstation) Prepare(service *Service, key string) error {
	if _, err := w.Run("--api-url", service.HTTP, "save-api-key", key); err != nil {
		return err
	}
	_, err := w.Run("create-update-certificate", "updates", "--domain", "example.com", "--model", "board")
	return err
}

// Provision provisions a device from a developer certificate made for it.
func (w *Workstation) Provision(device *Device, certificate string) error {
	_, err := w.Run("-a", device.Address, "--no-input", "provision-pelion", certificate, "updates",
		"--create-dev-cert", "--accept-new-host-key")
	return err
}

// Registered waits until the service shows a registered device, and returns
// its device id.
func (s *Service) Registered(key string) (id string, err error) {
	err = Until(func() error {
		ids, err := s.registered(key)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return fmt.Errorf("no device is registered; the service said:\n%s", s.Output())
		}
		id = ids[0]
		return nil
	})
	return id, err
}

func (s *Service) registered(key string) ([]string, error) {
	request, err := http.NewRequest(http.MethodGet, s.HTTP+"/v3/devices?state__eq=registered", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &page); err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the service answered %s: %s", response.Status, body)
	}
	var ids []string
	for _, device := range page.Data {
		ids = append(ids, device.ID)
	}
	return ids, nil
}
