package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"mbl/internal/cloudapi"
	"mbl/internal/provision"
)

// fleetStatus is what get-pelion-status prints about many devices.
type fleetStatus struct {
	Provisioned int            `json:"provisioned"`
	Connected   int            `json:"connected"` // as far as it is known
	Failed      int            `json:"failed"`    // not provisioned, or not to be asked
	Devices     []memberStatus `json:"devices"`
}

// memberStatus is one of them.
type memberStatus struct {
	pelionStatus
	Announced string `json:"name,omitempty"`
	Asked     bool   `json:"asked"`           // the device answered
	Error     string `json:"error,omitempty"` // why it could not be asked
	Hint      string `json:"hint,omitempty"`
}

func (a *app) getFleetStatus(ctx context.Context, opts fleetOptions) error {
	f, err := a.newFleet(ctx, opts)
	if err != nil {
		return err
	}
	a.progress("Asking %s, %d at a time.", counted(len(f.members), "device"), min(f.parallel, len(f.members)))
	statuses := make([]memberStatus, len(f.members))
	ended := f.run(ctx, task{
		do: func(ctx context.Context, i int) error {
			f.say(i, "asking")
			status, err := f.ask(ctx, i)
			statuses[i] = status
			return err
		},
		over: func(i int, err error) string {
			m := f.members[i]
			statuses[i].Device, statuses[i].Announced = m.target.String(), m.name
			if err != nil && !statuses[i].Asked {
				told := a.explain(context.WithoutCancel(ctx), err)
				statuses[i].Error, statuses[i].Hint = oneLine(told.Message), oneLine(told.Hint)
			}
			return fmt.Sprintf("%s: %s", m, statuses[i].summary())
		},
	})
	report := newFleetStatus(statuses)
	if err := a.print(report, report.write); err != nil {
		return err
	}
	return report.verdict(ctx, ended)
}

// ask asks one device, and the service about it. The error is that of the
// device, else the service's refusal of the key.
func (f *fleet) ask(ctx context.Context, device int) (memberStatus, error) {
	client, err := f.connect(ctx, device)
	if err != nil {
		return memberStatus{}, err
	}
	defer client.Close()
	answer, verdict := provision.Ask(ctx, client)
	if verdict != nil && !errors.Is(verdict, provision.ErrNotConfigured) {
		return memberStatus{}, verdict
	}
	status := memberStatus{pelionStatus: newPelionStatus(f.members[device].target, answer, verdict), Asked: true}
	return status, f.app.askService(ctx, &status.pelionStatus, answer)
}

func (s memberStatus) summary() string {
	switch {
	case !s.Asked:
		return s.Error
	case !s.Provisioned:
		return "not provisioned" + inBrackets(s.Reason)
	case s.Connected == nil:
		return "provisioned, connection unknown" + inBrackets(s.Why)
	case *s.Connected:
		return "provisioned, connected"
	default:
		return "provisioned, not connected" + inBrackets(cmp.Or(s.State, s.Why))
	}
}

func inBrackets(why string) string {
	if why == "" {
		return ""
	}
	return " (" + oneLine(why) + ")"
}

func newFleetStatus(statuses []memberStatus) fleetStatus {
	report := fleetStatus{Devices: statuses}
	for _, status := range statuses {
		if status.Connected != nil && *status.Connected {
			report.Connected++
		}
		if status.Provisioned {
			report.Provisioned++
		} else {
			report.Failed++
		}
	}
	return report
}

func (r fleetStatus) write(w io.Writer) {
	fmt.Fprintf(w, "Of %s: %d provisioned, %d connected.\n", counted(len(r.Devices), "device"), r.Provisioned, r.Connected)
}

// verdict: a refused key says more than the devices it was to be used for.
func (r fleetStatus) verdict(ctx context.Context, ended []error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range ended {
		if errors.Is(err, cloudapi.ErrUnauthorized) {
			return err
		}
	}
	if r.Failed > 0 {
		return someFailed(r.Failed, len(r.Devices)).WithHint("`mbl-cli provision-pelion` provisions those that are not")
	}
	return nil
}
