package cli

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/usererr"
)

// deviceTimeout is how long a device is waited for, if nothing else is said.
const deviceTimeout = time.Minute

const deviceRequestLong = `

DEVICE is a device's id, its name or its endpoint name; PATH is
/OBJECT/INSTANCE/RESOURCE, such as /3/0/0. The device must be connected to the
service. The answer comes through the notification channel of the API key, so
no other program should wait for notifications with the same key meanwhile.`

// deviceRequest is one request to a device, as the person wants it.
type deviceRequest struct {
	device  string // as it was named
	timeout time.Duration
	dryRun  bool
	cloudapi.DeviceRequest
}

// newDeviceRequestCommand makes a command that sends a request to a device.
func (a *app) newDeviceRequestCommand(use, short, examples string, names ...string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + "." + deviceRequestLong, Example: examples, Args: takes(names...),
		ValidArgsFunction: a.completeDevices,
	}
}

func addTimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", deviceTimeout, "wait `TIME`, such as 5s, for the device")
}

// askDevice sends a request to a device and returns its id and its answer, which is
// a success; no answer if the request is only tried.
func (a *app) askDevice(ctx context.Context, request deviceRequest) (id string, answer *cloudapi.DeviceAnswer, err error) {
	if request.timeout <= 0 {
		return "", nil, usererr.Usage("--timeout is more than nothing")
	}
	if request.Path = "/" + strings.Trim(request.Path, "/"); request.Path == "/" {
		return "", nil, usererr.Usage("PATH names nothing").WithHint("for example /3/0/0")
	}
	client, err := a.service(ctx)
	if err != nil {
		return "", nil, err
	}
	device, err := findDevice(ctx, client, request.device)
	if err != nil {
		return "", nil, err
	}
	if request.dryRun {
		return device.ID, nil, nil
	}
	waiting, cancel := context.WithTimeout(ctx, request.timeout)
	defer cancel()
	answer, err = client.AskDevice(waiting, device.ID, request.DeviceRequest)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return "", nil, usererr.Failure("%s did not answer within %s", deviceLabel(*device), request.timeout).
			WithHint("--timeout waits longer; another program that polls with the same API key takes answers away")
	}
	if err != nil {
		return "", nil, refusedRequest(err, *device, request.device, request.Path)
	}
	if answer.Status >= http.StatusBadRequest {
		return "", nil, failedRequest(*answer, *device, request.DeviceRequest)
	}
	return device.ID, answer, nil
}

// refusedRequest says why the service did not take a request. Its hints name the
// device as the person did: others may have its name.
func refusedRequest(err error, device cloudapi.Device, named, path string) error {
	var refusal *cloudapi.Error
	if !errors.As(err, &refusal) {
		return err
	}
	name := deviceLabel(device)
	switch refusal.Type {
	case "RESOURCE_NOT_FOUND":
		return usererr.Failure("%s has no resource %s", name, path).Because(err).
			WithHint("`mbl-cli device read %s /3` reads a whole object", named)
	case "DEVICE_NOT_CONNECTED":
		return usererr.Failure("%s is not registered with the service now", name).Because(err).
			WithHint("`mbl-cli device show %s` shows its state; is `mbl-device run` running there?", named)
	case "TOO_MANY_REQUESTS":
		return usererr.Failure("too many requests wait for %s already", name).Because(err).
			WithHint("try again in a while")
	default:
		return err
	}
}

// failedRequest says why a device did not do what it was asked.
func failedRequest(answer cloudapi.DeviceAnswer, device cloudapi.Device, request cloudapi.DeviceRequest) error {
	name := deviceLabel(device)
	switch answer.Error {
	case "NOT_CONNECTED":
		return usererr.Failure("%s is registered, but not connected now", name).
			WithHint("it connects again by itself, at its next registration update at the latest")
	case "TIMEOUT":
		return usererr.Failure("%s does not answer the service", name).
			WithHint("is it switched on and in the network?")
	case "DEVICE_REMOVED_REGISTRATION":
		return usererr.Failure("%s has left the service", name)
	}
	failure := usererr.Failure("%s answered %d %s to %s %s", name, answer.Status, oneLine(answer.Error), request.Method, request.Path)
	switch answer.Status {
	case http.StatusMethodNotAllowed:
		return failure.WithHint("the resource is not for this: some can only be read, written or executed")
	case http.StatusNotFound:
		return failure.WithHint("PATH is /OBJECT/INSTANCE/RESOURCE; to read the object shows what there is")
	case http.StatusBadRequest:
		return failure.WithHint("the device does not take this value there; --content-type says what it is")
	default:
		return failure
	}
}
