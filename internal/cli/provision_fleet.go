package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"mbl/internal/provision"
	"mbl/internal/usererr"
)

// fleetResult is how one device of many ended.
type fleetResult string

// The results of a device, in the order of the summary.
const (
	resultProvisioned fleetResult = "provisioned"
	resultAlready     fleetResult = "already_provisioned" // with the same certificate; left alone
	resultFailed      fleetResult = "failed"
	resultInterrupted fleetResult = "interrupted" // Ctrl-C while it was worked with
	resultNotTried    fleetResult = "not_tried"
)

// provisionedFleet is what provision-pelion prints about many devices.
type provisionedFleet struct {
	Certificate        string           `json:"certificate"`
	CertificateSource  provision.Source `json:"certificate_source"`
	UpdateCertificate  string           `json:"update_certificate"`
	EndpointName       string           `json:"endpoint_name"`
	AccountID          string           `json:"account_id"`
	Provisioned        int              `json:"provisioned"`
	AlreadyProvisioned int              `json:"already_provisioned"`
	Failed             int              `json:"failed"`
	Interrupted        int              `json:"interrupted"`
	NotTried           int              `json:"not_tried"`
	DryRun             bool             `json:"dry_run"`
	Devices            []fleetDevice    `json:"devices"`
}

// fleetDevice is one of them.
type fleetDevice struct {
	Device     string      `json:"device"`
	Name       string      `json:"name,omitempty"` // as it announces itself
	Result     fleetResult `json:"result"`
	Error      string      `json:"error,omitempty"`
	Hint       string      `json:"hint,omitempty"`
	DeviceID   string      `json:"device_id,omitempty"`
	DeviceName string      `json:"device_name,omitempty"`

	// With --per-device, of the device's own certificate.
	EndpointName  string `json:"endpoint_name,omitempty"`
	CertificateID string `json:"certificate_id,omitempty"`
}

func (a *app) provisionFleet(ctx context.Context, plan provision.Plan, opts provisionOptions) error {
	f, err := a.newFleet(ctx, opts.fleet)
	if err != nil {
		return err
	}
	stores, err := a.stores()
	if err != nil {
		return err
	}
	workstation := provision.Workstation{
		Store:    stores,
		Service:  a.provisioningService,
		Progress: func(step provision.Step) { f.tellStep(step, plan) },
	}
	batch, err := workstation.Resume(ctx, plan)
	if err != nil {
		return err
	}
	doing := "Provisioning"
	if plan.DryRun {
		doing = "Asking"
	}
	a.progress("%s %s, %d at a time.", doing, counted(len(f.members), "device"), min(f.parallel, len(f.members)))
	results := make([]*provision.Result, len(f.members))
	devices := make([]fleetDevice, len(f.members))
	ended := f.run(ctx, task{
		do: func(ctx context.Context, i int) (err error) {
			results[i], err = batch.Provision(ctx, f.job(i, opts.again))
			return err
		},
		over: func(i int, err error) string {
			devices[i] = a.fleetDevice(ctx, f.members[i], results[i], err)
			return devices[i].line(f.members[i], plan.DryRun)
		},
	})
	if at := slices.IndexFunc(ended, concernsAll); at >= 0 && ctx.Err() == nil {
		return a.provisioningFailed(ctx, plan, results[at], ended[at])
	}
	report := newProvisionedFleet(plan, results, devices)
	if err := a.print(report, report.write); err != nil {
		return err
	}
	return report.verdict(ctx)
}

// concernsAll: no device can be provisioned.
func concernsAll(err error) bool {
	var certificates *provision.CertificateError
	return errors.As(err, &certificates)
}

func (f *fleet) tellStep(step provision.Step, plan provision.Plan) {
	f.screen.pause(func() { f.app.provisioningProgress(step, plan, f.members[0].target) })
}

func (f *fleet) job(device int, again bool) provision.Job {
	return provision.Job{
		Again: again,
		Connect: func(ctx context.Context) (provision.Connection, error) {
			client, err := f.connect(ctx, device)
			if err != nil {
				return nil, err
			}
			return client, nil
		},
		Progress: func(step provision.Step) {
			f.say(device, map[provision.Step]string{provision.StepContact: "connecting", provision.StepSign: "having its certificate signed", provision.StepSend: "provisioning"}[step])
		},
	}
}

func (a *app) fleetDevice(ctx context.Context, m member, result *provision.Result, err error) fleetDevice {
	device := fleetDevice{Device: m.target.String(), Name: m.name, Result: resultOf(result, err)}
	if result != nil && result.Answer != nil && result.Answer.State != nil {
		device.DeviceID, device.DeviceName = result.Answer.State.DeviceID, result.Named
	}
	switch device.Result {
	case resultFailed:
		// Whether somebody pressed Ctrl-C meanwhile is not what failed here.
		told := a.explain(context.WithoutCancel(ctx), err)
		device.Error, device.Hint = oneLine(told.Message), oneLine(told.Hint)
	case resultInterrupted:
		if result != nil && result.Sent && (result.Answer == nil || !result.Answer.Tidied) {
			device.Error = "it deletes the credentials by itself and may be provisioned or not"
		}
	}
	return device
}

func resultOf(result *provision.Result, err error) fleetResult {
	switch {
	case err == nil && result.Already:
		return resultAlready
	case err == nil:
		return resultProvisioned
	case errors.Is(err, errNotTried):
		return resultNotTried
	case errors.Is(err, context.Canceled):
		return resultInterrupted
	default:
		return resultFailed
	}
}

func (d fleetDevice) line(m member, dryRun bool) string {
	words := map[fleetResult]string{resultAlready: "provisioned already", resultNotTried: "not tried"}
	if dryRun {
		words[resultProvisioned] = "would be provisioned"
	}
	text := fmt.Sprintf("%s: %s", m, cmp.Or(words[d.Result], string(d.Result)))
	if d.Error != "" {
		text += ": " + d.Error
	}
	return text
}

func newProvisionedFleet(plan provision.Plan, results []*provision.Result, devices []fleetDevice) provisionedFleet {
	report := provisionedFleet{Certificate: plan.Certificate, UpdateCertificate: plan.Update, DryRun: plan.DryRun, Devices: devices}
	for i, result := range results {
		if result == nil || result.EndpointName == "" && !plan.DryRun {
			continue
		}
		report.CertificateSource, report.AccountID = result.Source, result.AccountID
		if plan.PerDevice {
			devices[i].EndpointName, devices[i].CertificateID = result.EndpointName, result.OwnID
		} else {
			report.EndpointName = result.EndpointName
		}
	}
	for _, device := range devices {
		*report.count(device.Result)++
	}
	return report
}

func (r *provisionedFleet) count(result fleetResult) *int {
	switch result {
	case resultProvisioned:
		return &r.Provisioned
	case resultAlready:
		return &r.AlreadyProvisioned
	case resultFailed:
		return &r.Failed
	case resultInterrupted:
		return &r.Interrupted
	default:
		return &r.NotTried
	}
}

func (r provisionedFleet) write(w io.Writer) {
	done := "provisioned"
	if r.DryRun {
		done = "would be provisioned"
		fmt.Fprint(w, createFirst(r.CertificateSource, r.Certificate))
	}
	fmt.Fprintf(w, "Of %s: %d %s", counted(len(r.Devices), "device"), r.Provisioned, done)
	for _, part := range []struct {
		count int
		what  string
	}{{r.AlreadyProvisioned, "provisioned already"}, {r.Failed, "failed"}, {r.Interrupted, "interrupted"}, {r.NotTried, "not tried"}} {
		if part.count > 0 {
			fmt.Fprintf(w, ", %d %s", part.count, part.what)
		}
	}
	fmt.Fprintln(w, ".")
}

const againHint = "the same command again does only what is left"

func (r provisionedFleet) verdict(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.Failed > 0:
		return someFailed(r.Failed, len(r.Devices)).WithHint("%s", r.hint())
	default:
		return nil
	}
}

// hint is what helps all devices that failed, if that is one thing.
func (r provisionedFleet) hint() string {
	hint := ""
	for _, device := range r.Devices {
		if device.Result != resultFailed {
			continue
		}
		if device.Hint == "" || hint != "" && hint != device.Hint {
			return againHint + "; -o json has a hint for each"
		}
		hint = device.Hint
	}
	return hint + "; " + againHint
}

func someFailed(failed, all int) *usererr.Error {
	return usererr.New(usererr.ExitSomeFailed, "%d of %d devices failed", failed, all)
}
