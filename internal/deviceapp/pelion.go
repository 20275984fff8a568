package deviceapp

import (
	"errors"
	"fmt"
	"io"
	"time"

	"mbl/internal/device"
	"mbl/internal/iostreams"
	"mbl/internal/keystore"
)

// provision is --provision. Its messages are the original's, word for word
// and stream for stream (provisioning.cpp and main.cpp of mbl-core's
// cloud-provisioning), missing spaces included: scripts read them.
func provision(sys *iostreams.System, inv invocation) int {
	fmt.Fprintln(sys.Out, "Provisioning device.")
	store, err := inv.protectedStore()
	if err == nil {
		err = device.Provision(store, inv.folder())
	}
	if err != nil {
		explainProvisioning(sys.Err, err)
		return exitFailure
	}
	fmt.Fprintln(sys.Out, "Provisioning process completed without error.")
	return exitOK
}

func explainProvisioning(w io.Writer, err error) {
	var input *device.InputError
	var refused *device.RefusedError
	switch {
	case errors.As(err, &input):
		explainFiles(w, input.Developer, "There was an error parsing the dev credentials files")
		explainFiles(w, input.Update, "There was an error parsing the Update Credentials files")
	case errors.As(err, &refused):
		explainRefusal(w, refused)
	default:
		explainStorage(w, err)
	}
}

func explainFiles(w io.Writer, problems []device.FileProblem, conclusion string) {
	if len(problems) == 0 {
		return
	}
	for _, problem := range problems {
		what := "could not be opened"
		if problem.Opened {
			what = "could not be read"
		}
		fmt.Fprintf(w, "File with path %s%s\n", problem.Path, what)
	}
	fmt.Fprintln(w, conclusion)
}

func explainRefusal(w io.Writer, refused *device.RefusedError) {
	for _, refusal := range []*device.Refusal{refused.Developer, refused.Update} {
		if refusal != nil {
			fmt.Fprintf(w, "Failed to store KCM Item! Item name: %s\nError status is: %s\n", refusal.Item, refusal.Reason)
		}
	}
	if refused.Developer != nil {
		fmt.Fprintln(w, "Developer Certificate Provisioning failed.")
		return
	}
	fmt.Fprintln(w, "Update Certificate Provisioning failed.")
}

// explainStorage adds the cause: the original's words for a full disk or a
// damaged storage help nobody.
func explainStorage(w io.Writer, err error) {
	remedy := ""
	if errors.Is(err, keystore.ErrDamaged) { // nothing in it can be used, nor added to
		remedy = "; remove its folder and provision again"
	}
	fmt.Fprintf(w, "%v%s\n", err, remedy)
	explainRefusal(w, &device.RefusedError{
		Developer: &device.Refusal{Item: device.FirstItem, Reason: "File operation general error:"},
	})
}

// pelionStatus is --get-pelion-status, likewise in the original's words.
func pelionStatus(sys *iostreams.System, inv invocation) int {
	fmt.Fprintln(sys.Out, "Querying device status... ")
	report := device.Verify(inv.store(), time.Now())
	if inv.verbose {
		for _, warning := range report.Warnings {
			fmt.Fprintf(sys.Err, "warning: %v\n", warning)
		}
	}
	if report.Problem != nil {
		fmt.Fprintln(sys.Err, report.Problem)
		return exitFailure
	}
	fmt.Fprintln(sys.Out, "Device is configured correctly. You can connect to Pelion Cloud!")
	return exitOK
}
