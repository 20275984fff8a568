package deviceapp

import (
	"encoding/json"
	"fmt"
	"time"

	"mbl/internal/device"
	"mbl/internal/iostreams"
	"mbl/internal/keystore"
)

// statusReport is what `status --json` prints. mbl-cli reads it.
type statusReport struct {
	Provisioned  bool   `json:"provisioned"`
	DeviceID     string `json:"device_id"` // empty until the first bootstrap
	EndpointName string `json:"endpoint_name"`
	AccountID    string `json:"account_id"`
	Registered   bool   `json:"registered"` // as the running mbl-device knows
	Problem      string `json:"problem"`    // what is wrong; empty when provisioned

	// How the storage's key is kept: "none" (there is none yet), "file" or "tpm".
	KeyProtection keystore.Protection `json:"key_protection"`
	TPM           string              `json:"tpm,omitempty"`         // the path of the TPM that seals it
	KeyProblem    string              `json:"key_problem,omitempty"` // why it cannot be used
}

func status(sys *iostreams.System, inv invocation) int {
	report := makeReport(inv)
	if !inv.json {
		printReport(sys, report)
		return exitOK
	}
	encoder := json.NewEncoder(sys.Out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(report); err != nil {
		fmt.Fprintf(sys.Err, "mbl-device: cannot print the status: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func makeReport(inv invocation) statusReport {
	store := inv.store()
	verified := device.Verify(store, time.Now())
	identity := device.ReadIdentity(store)
	report := statusReport{
		Provisioned:  verified.Problem == nil,
		DeviceID:     identity.DeviceID,
		EndpointName: identity.EndpointName,
		AccountID:    identity.AccountID,
		Registered:   isRegistered(inv.stateDir(), identity.DeviceID),
	}
	if verified.Problem != nil {
		report.Problem = verified.Problem.String()
	}
	var err error
	report.KeyProtection, report.TPM, err = store.Protection()
	if err == nil && report.KeyProtection != keystore.Unprotected {
		err = store.CheckKey()
	}
	if err != nil {
		report.KeyProblem = err.Error()
	}
	return report
}

// protection says in words how the key is kept.
func (r statusReport) protection() string {
	switch r.KeyProtection {
	case keystore.InTPM:
		return "sealed by the TPM at " + r.TPM
	case keystore.InFile:
		return "in a file that only its owner can read"
	default:
		return ""
	}
}

func printReport(sys *iostreams.System, report statusReport) {
	yesNo := map[bool]string{true: "yes", false: "no"}
	fmt.Fprintf(sys.Out, "Provisioned:   %s\n", yesNo[report.Provisioned])
	fmt.Fprintf(sys.Out, "Registered:    %s\n", yesNo[report.Registered])
	for _, line := range []struct{ label, value string }{
		{"Device id:", report.DeviceID},
		{"Endpoint name:", report.EndpointName},
		{"Account id:", report.AccountID},
		{"Storage key:", report.protection()},
		{"Key problem:", report.KeyProblem},
		{"Problem:", report.Problem},
	} {
		if line.value != "" {
			fmt.Fprintf(sys.Out, "%-14s %s\n", line.label, line.value)
		}
	}
}
