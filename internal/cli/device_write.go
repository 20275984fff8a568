package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
)

const textPlain = "text/plain"

// doneRow is what a command prints that changed something on a device.
type doneRow struct {
	DeviceID string `json:"device_id"`
	Path     string `json:"path"`
	Status   int    `json:"status,omitempty"` // not of a dry run
	Value    string `json:"value,omitempty"`  // what the device had to say
	DryRun   bool   `json:"dry_run"`
}

// change sends a request that changes something and prints how it went.
func (a *app) change(cmd *cobra.Command, request deviceRequest, done, would string) error {
	id, answer, err := a.askDevice(cmd.Context(), request)
	if err != nil {
		return err
	}
	row := doneRow{DeviceID: id, Path: request.Path, DryRun: request.dryRun}
	if answer != nil {
		row.Status, row.Value = answer.Status, showValue(answer.Payload)
	}
	return a.print(row, func(w io.Writer) {
		if row.Value != "" {
			fmt.Fprintln(w, row.Value)
			return
		}
		fmt.Fprintf(w, "%s %s\n", didOrWould(row.DryRun, done, would), request.Path)
	})
}

func newDeviceWriteCommand(a *app) *cobra.Command {
	request := deviceRequest{DeviceRequest: cloudapi.DeviceRequest{Method: "PUT"}}
	cmd := a.newDeviceRequestCommand("write DEVICE PATH VALUE", "Write a resource of a connected device",
		`  mbl-cli device write my-board /1/0/1 600`, "DEVICE", "PATH", "VALUE")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.device, request.Path, request.Payload = args[0], args[1], []byte(args[2])
		return a.change(cmd, request, "Wrote", "Would write")
	}
	cmd.Flags().StringVar(&request.ContentType, "content-type", textPlain, "`MEDIA-TYPE` of the value")
	addTimeoutFlag(cmd, &request.timeout)
	addDryRunFlag(cmd, &request.dryRun)
	return cmd
}

func newDeviceExecCommand(a *app) *cobra.Command {
	request := deviceRequest{DeviceRequest: cloudapi.DeviceRequest{Method: "POST"}}
	cmd := a.newDeviceRequestCommand("exec DEVICE PATH [ARGUMENTS]", "Execute a resource of a connected device",
		`  mbl-cli device exec my-board /1/0/8`, "DEVICE", "PATH", "[ARGUMENTS]")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.device, request.Path = args[0], args[1]
		if len(args) > 2 {
			request.Payload, request.ContentType = []byte(args[2]), textPlain
		}
		return a.change(cmd, request, "Executed", "Would execute")
	}
	addTimeoutFlag(cmd, &request.timeout)
	addDryRunFlag(cmd, &request.dryRun)
	return cmd
}

func newDeviceDeleteCommand(a *app) *cobra.Command {
	request := deviceRequest{DeviceRequest: cloudapi.DeviceRequest{Method: "DELETE"}}
	cmd := a.newDeviceRequestCommand("delete DEVICE PATH", "Delete an object instance of a connected device",
		`  mbl-cli device delete my-board /5000/1`, "DEVICE", "PATH")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.device, request.Path = args[0], args[1]
		return a.change(cmd, request, "Deleted", "Would delete")
	}
	addTimeoutFlag(cmd, &request.timeout)
	addDryRunFlag(cmd, &request.dryRun)
	return cmd
}
