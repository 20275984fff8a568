package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/usererr"
)

const deviceObserveLong = `Print the present value of each PATH of a connected device, and each value
that the device reports from then on, until Ctrl-C.

DEVICE is a device's id, its name or its endpoint name; PATH is
/OBJECT/INSTANCE/RESOURCE, such as /3/0/13, or a whole object or instance. How
often a device reports is its own matter. Values come through the notification
channel of the API key, so no other program should wait for notifications with
the same key meanwhile.

With -o json each value is one JSON object on a line of its own.`

// seenValue is one value as device observe prints it.
type seenValue struct {
	Time time.Time `json:"time"`
	reading
}

func newDeviceObserveCommand(a *app) *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "observe DEVICE PATH...",
		Short: "Print what a connected device reports of its resources, until Ctrl-C",
		Long:  deviceObserveLong,
		Example: `  mbl-cli device observe my-board /3/0/13
  mbl-cli device observe my-board /10252/0/2 /10252/0/3
  mbl-cli -o json device observe my-board /3/0/13 --count 1`,
		Args: func(_ *cobra.Command, args []string) error {
			return takes("DEVICE", "PATH")(nil, args[:min(2, len(args))])
		},
		ValidArgsFunction: a.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.observeDevice(cmd.Context(), args[0], args[1:], count)
		},
	}
	cmd.Flags().IntVar(&count, "count", 0, "end after `N` values; 0: do not")
	return cmd
}

// errEnough ends an observation that has brought what was wanted.
var errEnough = errors.New("enough values")

func (a *app) observeDevice(ctx context.Context, named string, paths []string, count int) error {
	if count < 0 {
		return usererr.Usage("--count is not negative")
	}
	for i, path := range paths {
		if paths[i] = "/" + strings.Trim(path, "/"); paths[i] == "/" || slices.Contains(paths[:i], paths[i]) {
			return usererr.Usage("PATH %q names nothing, or stands there twice", path).WithHint("for example /3/0/13")
		}
	}
	client, err := a.service(ctx)
	if err != nil {
		return err
	}
	device, err := findDevice(ctx, client, named)
	if err != nil {
		return err
	}
	shown := 0
	err = client.Observe(ctx, device.ID, paths, func(value cloudapi.Observed) error {
		if err := a.printSeen(device.ID, value, len(paths) > 1); err != nil {
			return err
		}
		if shown++; shown == count {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case ctx.Err() != nil:
		return err
	}
	return refusedObservation(err, *device, named)
}

// printSeen prints one value at once; with its path where there are several.
func (a *app) printSeen(deviceID string, value cloudapi.Observed, several bool) error {
	seen := seenValue{time.Now().UTC(), newReading(deviceID, value.Path, cloudapi.DeviceAnswer{
		ContentType: value.ContentType, Payload: value.Payload,
	})}
	if a.flags.output == outputJSON {
		line := json.NewEncoder(a.sys.Out)
		line.SetEscapeHTML(false)
		return line.Encode(seen)
	}
	return a.print(seen, func(w io.Writer) {
		if several && seen.Resources == nil {
			fmt.Fprintf(w, "%s\t", seen.Path)
		}
		writeReading(w, seen.reading)
	})
}

// refusedObservation says why the service or the device does not report.
func refusedObservation(err error, device cloudapi.Device, named string) error {
	var failed *cloudapi.ObservationFailed
	if errors.As(err, &failed) {
		return failedRequest(failed.Answer, device, cloudapi.DeviceRequest{Method: "observing", Path: failed.Path})
	}
	var refusal *cloudapi.Error
	if !errors.As(err, &refusal) {
		return err
	}
	name := deviceLabel(device)
	switch refusal.Type {
	case "NOT_OBSERVABLE":
		return usererr.Failure("%s does not report of this resource", name).Because(err).
			WithHint("`mbl-cli device read` reads it whenever you want")
	case "CHANNEL_ALREADY_EXISTS":
		return usererr.Failure("the API key has a notification channel of another kind").Because(err).
			WithHint("another API key has a channel of its own: `mbl-cli save-api-key`, `mbl-cli api-key use`")
	case "RESOURCE_NOT_FOUND":
		return usererr.Failure("%s has no such resource", name).Because(err).
			WithHint("`mbl-cli device read %s /3` reads a whole object", named)
	}
	return refusedRequest(err, device, named, "")
}
