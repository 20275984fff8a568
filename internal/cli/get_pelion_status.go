package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/provision"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const getPelionStatusExamples = `  mbl-cli get-pelion-status
  mbl-cli -a fe80::1%eth0 get-pelion-status
  mbl-cli -o json get-pelion-status
  mbl-cli get-pelion-status --all`

const getPelionStatusLong = `Ask a device whether it is provisioned and, where an API key is saved, the
service whether the device is connected.

The original pelion-provisioning-util does not tell a device's id. Of a device
that has nothing else, the service's answer cannot be asked for from here.

Of many devices (--address more than once, --all, --from) each gets a line. The
exit code is 1 when some are not provisioned or cannot be asked.`

// stateRegistered is the directory's word for a connected device.
const stateRegistered = "registered"

func newGetPelionStatusCommand(a *app) *cobra.Command {
	var opts fleetOptions
	cmd := &cobra.Command{
		Use:     "get-pelion-status",
		Short:   "Is the device provisioned, and connected",
		Long:    getPelionStatusLong,
		Example: getPelionStatusExamples,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.isFleet(opts) {
				return a.getFleetStatus(cmd.Context(), opts)
			}
			return a.getPelionStatus(cmd.Context(), opts.acceptNewHostKey)
		},
	}
	addFleetFlags(cmd, &opts)
	return cmd
}

// pelionStatus is what get-pelion-status prints.
type pelionStatus struct {
	Device       string `json:"device"`
	Provisioned  bool   `json:"provisioned"`
	Reason       string `json:"reason,omitempty"` // why it is not provisioned
	DeviceID     string `json:"device_id,omitempty"`
	EndpointName string `json:"endpoint_name,omitempty"`
	Connected    *bool  `json:"connected"`               // null: it cannot be known
	Why          string `json:"connected_why,omitempty"` // why that is so, or why it is not, where State does not tell
	State        string `json:"service_state,omitempty"` // of the device in the service's directory
	Name         string `json:"device_name,omitempty"`   // given to the device just now
	Output       string `json:"status_output"`
}

func (a *app) getPelionStatus(ctx context.Context, acceptNewHostKey bool) error {
	target, err := a.target()
	if err != nil {
		return err
	}
	client, err := a.connect(ctx, target, acceptNewHostKey)
	if err != nil {
		return err
	}
	defer client.Close()
	answer, err := provision.Ask(ctx, client)
	if err != nil && !errors.Is(err, provision.ErrNotConfigured) {
		return err
	}
	status := newPelionStatus(target, answer, err)
	refused := a.askService(ctx, &status, answer)
	if err := a.print(status, status.write); err != nil {
		return err
	}
	if err != nil {
		return usererr.Failure("%s", notConfigured(status.Reason)).Because(err).WithHint("`mbl-cli provision-pelion` provisions it")
	}
	return refused
}

// notConfigured begins with the original's words, which scripts look for; the
// original does not say why.
func notConfigured(why string) string {
	const verdict = "Your device is not correctly configured for Pelion Device Management"
	if why == "" {
		return verdict
	}
	return verdict + ": " + why
}

func newPelionStatus(target ssh.Target, answer *provision.Answer, verdict error) pelionStatus {
	status := pelionStatus{Device: target.String(), Provisioned: verdict == nil}
	if answer.Status != nil {
		status.Output = answer.Status.Stdout
	}
	var said *provision.DeviceError
	if errors.As(verdict, &said) {
		status.Reason = oneLine(said.Said)
	}
	if answer.State != nil {
		status.DeviceID, status.EndpointName = answer.State.DeviceID, answer.State.EndpointName
	}
	return status
}

// askService fills in what the service knows. Its silence is no failure of
// this command; a refused key is.
func (a *app) askService(ctx context.Context, status *pelionStatus, answer *provision.Answer) error {
	status.Why = unaskable(status, answer)
	if status.Why != "" {
		return nil
	}
	service, err := a.service(ctx)
	if err != nil {
		status.Why = oneLine(a.explain(ctx, err).Message)
		return nil
	}
	status.State, err = provision.Connected(ctx, service, status.DeviceID)
	switch {
	case errors.Is(err, provision.ErrUnregistered):
		connected := false
		status.Connected, status.Why = &connected, oneLine(provision.ErrUnregistered.Error())
		return nil
	case err != nil:
		status.Why = oneLine(a.explain(ctx, err).Message)
		if errors.Is(err, cloudapi.ErrUnauthorized) {
			return err
		}
		return nil
	}
	connected := status.State == stateRegistered
	status.Connected = &connected
	a.nameDevice(ctx, service, status, answer)
	return nil
}

// unaskable says why the service need not be asked, empty if it can be.
func unaskable(status *pelionStatus, answer *provision.Answer) string {
	switch {
	case !status.Provisioned:
		return "the device is not provisioned"
	case answer.State == nil:
		return "the device's pelion-provisioning-util does not tell its device id"
	case status.DeviceID == "":
		return "the device has not registered yet"
	default:
		return ""
	}
}

// nameDevice names a nameless device after its host name. It only helps people
// to find it, so a failure is logged and no more.
func (a *app) nameDevice(ctx context.Context, service *cloudapi.Client, status *pelionStatus, answer *provision.Answer) {
	name, err := provision.NameDevice(ctx, service, answer)
	if err != nil {
		a.log().Debug("the device got no name", "error", err)
		return
	}
	status.Name = name
}

func (s pelionStatus) write(w io.Writer) {
	fmt.Fprint(w, deviceText(s.Output))
	fmt.Fprintf(w, "provisioned\t%s\n", yesOrNo(s.Provisioned, s.Reason))
	if s.DeviceID != "" {
		fmt.Fprintf(w, "device id\t%s\n", oneLine(s.DeviceID))
	}
	if s.Connected == nil {
		fmt.Fprintf(w, "connected\tunknown: %s\n", s.Why)
		return
	}
	fmt.Fprintf(w, "connected\t%s\n", yesOrNo(*s.Connected, cmp.Or(s.State, s.Why)))
}

func yesOrNo(yes bool, why string) string {
	answer := "no"
	if yes {
		answer = "yes"
	}
	if why == "" {
		return answer
	}
	return answer + " (" + oneLine(why) + ")"
}
