package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
	"mbl/internal/provision"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const provisionPelionExamples = `  mbl-cli provision-pelion my-devices my-updates --create-dev-cert
  mbl-cli provision-pelion my-devices my-updates
  mbl-cli provision-pelion my-devices ./update_default_resources.c
  mbl-cli -a 192.0.2.7 provision-pelion my-devices my-updates -p ./update_default_resources.c
  mbl-cli provision-pelion my-devices my-updates --all
  mbl-cli provision-pelion my-devices my-updates --all --per-device
  mbl-cli -o json provision-pelion my-devices my-updates --from boards.txt`

const provisionPelionLong = `Give a device what it needs to connect to Device Management.

CERT-NAME is a developer certificate: from the team store, else from the
service, else made by --create-dev-cert. UPDATE-CERT is the update certificate:
a name in the team store, or the path of an update_default_resources.c (a text
with / in it, or one that ends in .c).

Everything is checked before anything is created or sent. On the device the
private key lies in a file only while it is taken in.

With --per-device nothing is shared: a key is made for each device, which only
that device gets, and the service signs a certificate for it under CERT-NAME.
list-certificates shows it; delete-certificate cuts off that device alone. The
original service cannot do that; mbl-cloud can.

Many devices (--address more than once, --all, --from) are provisioned side by
side; one that fails stops no other. Devices that have the developer certificate
already are left alone, so the same command again does only what is left;
--again provisions them, too. The exit code is 1 when devices failed.`

type provisionOptions struct {
	create     bool
	updateFile string
	perDevice  bool
	again      bool
	dryRun     bool
	fleet      fleetOptions
}

func newProvisionPelionCommand(a *app) *cobra.Command {
	var opts provisionOptions
	cmd := &cobra.Command{
		Use:               "provision-pelion CERT-NAME UPDATE-CERT",
		Short:             "Provision a device for Device Management",
		Long:              provisionPelionLong,
		Example:           provisionPelionExamples,
		Args:              takes("CERT-NAME", "UPDATE-CERT"),
		ValidArgsFunction: a.completeProvisioning,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan := provision.Plan{Certificate: args[0], Create: opts.create, Update: args[1], UpdateFile: opts.updateFile, PerDevice: opts.perDevice, DryRun: opts.dryRun}
			if a.isFleet(opts.fleet) {
				return a.provisionFleet(cmd.Context(), plan, opts)
			}
			return a.provisionPelion(cmd.Context(), plan, opts.fleet.acceptNewHostKey)
		},
	}
	cmd.Flags().BoolVarP(&opts.create, "create-dev-cert", "c", false, "create the developer certificate in the service")
	cmd.Flags().StringVarP(&opts.updateFile, "parse-update-cert", "p", "", "put the update_default_resources.c `FILE` into the team store as UPDATE-CERT first")
	cmd.Flags().BoolVar(&opts.perDevice, "per-device", false, "give each device a key and certificate of its own")
	cmd.Flags().BoolVar(&opts.dryRun, "dry-run", false, "contact the device, say what would be done, and do nothing")
	cmd.Flags().BoolVar(&opts.again, "again", false, "of many devices, provision also those that have the certificate")
	addFleetFlags(cmd, &opts.fleet)
	return cmd
}

func (a *app) completeProvisioning(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeCertificates(credstore.KindDeveloper)
	case 1:
		names, _ := a.completeCertificates(credstore.KindUpdate)
		return names, cobra.ShellCompDirectiveDefault // or a file
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) provisionPelion(ctx context.Context, plan provision.Plan, acceptNewHostKey bool) error {
	target, err := a.target()
	if err != nil {
		return err
	}
	stores, err := a.stores()
	if err != nil {
		return err
	}
	workstation := provision.Workstation{
		Store:    a.watched(stores),
		Service:  a.provisioningService,
		Connect:  a.connector(target, acceptNewHostKey),
		Progress: func(step provision.Step) { a.provisioningProgress(step, plan, target) },
	}
	result, err := workstation.Run(ctx, plan)
	if err != nil {
		return a.provisioningFailed(ctx, plan, result, err)
	}
	return a.printProvisioned(newProvisioned(plan, target, result))
}

func (a *app) provisioningService(ctx context.Context) (provision.Service, error) {
	client, err := a.service(ctx)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// connector keeps a failed login from becoming a connection that is not nil.
func (a *app) connector(target ssh.Target, acceptNewHostKey bool) func(context.Context) (provision.Connection, error) {
	return func(ctx context.Context) (provision.Connection, error) {
		client, err := a.connect(ctx, target, acceptNewHostKey)
		if err != nil {
			return nil, err
		}
		return client, nil
	}
}

func (a *app) provisioningProgress(step provision.Step, plan provision.Plan, target ssh.Target) {
	switch step {
	case provision.StepFind:
		a.progress("The team store has no developer certificate %s; looking in the service.", plan.Certificate)
	case provision.StepContact:
		a.progress("Connecting to %s.", target)
	case provision.StepCreate:
		a.progress("Creating the developer certificate %s in the service.", plan.Certificate)
	case provision.StepSign:
		a.progress("Having the device's own certificate signed by the service.")
	case provision.StepSend:
		a.progress("Provisioning the device.")
	}
}

// provisioned is what provision-pelion prints.
type provisioned struct {
	Device            string           `json:"device"`
	Certificate       string           `json:"certificate"`
	CertificateSource provision.Source `json:"certificate_source"`
	UpdateCertificate string           `json:"update_certificate"`
	EndpointName      string           `json:"endpoint_name"`
	AccountID         string           `json:"account_id"`
	CertificateID     string           `json:"certificate_id,omitempty"` // of the device's own certificate (--per-device)
	Provisioned       bool             `json:"provisioned"`
	DryRun            bool             `json:"dry_run"`
	DeviceID          string           `json:"device_id,omitempty"` // only of a device that has registered before
	DeviceName        string           `json:"device_name,omitempty"`
	ProvisionOutput   string           `json:"provision_output"`
	StatusOutput      string           `json:"status_output"`
}

func newProvisioned(plan provision.Plan, target ssh.Target, result *provision.Result) provisioned {
	done := provisioned{
		Device:            target.String(),
		Certificate:       plan.Certificate,
		CertificateSource: result.Source,
		UpdateCertificate: plan.Update,
		EndpointName:      result.EndpointName,
		AccountID:         result.AccountID,
		CertificateID:     result.OwnID,
		DryRun:            plan.DryRun,
		DeviceName:        result.Named,
	}
	if plan.DryRun {
		return done
	}
	done.Provisioned = true
	done.ProvisionOutput, done.StatusOutput = result.Answer.Provision.Stdout, result.Answer.Status.Stdout
	if result.Answer.State != nil {
		done.DeviceID = result.Answer.State.DeviceID
	}
	return done
}

func (a *app) printProvisioned(done provisioned) error {
	return a.print(done, func(w io.Writer) {
		if done.DryRun {
			done.foretell(w)
			return
		}
		fmt.Fprint(w, deviceText(done.ProvisionOutput))
		fmt.Fprint(w, deviceText(done.StatusOutput))
		fmt.Fprintf(w, "Provisioned %s with %s and %s.\n", done.Device, done.Certificate, oneLine(done.UpdateCertificate))
		if done.CertificateID != "" {
			fmt.Fprintf(w, "Its own certificate is %s.\n", oneLine(done.CertificateID))
		}
	})
}

// foretell says what would be done.
func (p provisioned) foretell(w io.Writer) {
	fmt.Fprintln(w, createFirst(p.CertificateSource, p.Certificate)+fmt.Sprintf("%s would be provisioned with %s and %s.", p.Device, p.Certificate, oneLine(p.UpdateCertificate)))
}

// createFirst is what happens before the first device.
func createFirst(source provision.Source, certificate string) string {
	if source != provision.Created {
		return ""
	}
	return fmt.Sprintf("The developer certificate %s would be created.\n", certificate)
}

// provisioningFailed tells what the util said, and what state things are in:
// whatever was created or stored makes a repetition go on from there.
func (a *app) provisioningFailed(ctx context.Context, plan provision.Plan, result *provision.Result, err error) error {
	if answer := result.Answer; answer != nil {
		a.showTool(answer.Provision)
		a.showTool(answer.Status)
	}
	state := stateAfter(plan, result)
	if ctx.Err() != nil {
		fmt.Fprintf(a.sys.Err, "mbl-cli: %s\n", cmp.Or(state, "nothing was sent to the device"))
		return err
	}
	told := a.explain(ctx, err)
	if state == "" {
		return told
	}
	return usererr.New(told.Code, "%s; %s", told.Message, state).WithHint("%s", told.Hint).Because(cmp.Or(told.Err, err))
}

// stateAfter says what a failed provisioning leaves behind, empty if nothing.
func stateAfter(plan provision.Plan, result *provision.Result) string {
	state := ""
	if result.Sent && (result.Answer == nil || !result.Answer.Tidied) {
		state = "the device deletes the credentials by itself and may be provisioned or not"
	}
	if result.Source != provision.Created {
		return state
	}
	created := fmt.Sprintf("the developer certificate %s was created, so go on without --create-dev-cert", plan.Certificate)
	if state == "" {
		return created
	}
	return state + "; " + created
}

func (a *app) showTool(tool *provision.Tool) {
	if tool != nil {
		fmt.Fprint(a.sys.Err, deviceText(tool.Stdout), deviceText(tool.Stderr))
	}
}
