package diagnose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mbl/internal/ssh"
)

const (
	// deviceTime bounds all questions to a device together.
	deviceTime = 45 * time.Second
	// clockTolerance is how wrong a device's clock may be.
	clockTolerance = 5 * time.Minute
	// roomNeeded is what a provisioning writes, in KiB; roomWanted leaves air.
	roomNeeded, roomWanted = 64, 1024
)

// ErrNoDevice is what Connect returns, wrapped, where no device is chosen.
var ErrNoDevice = errors.New("no device is chosen")

// checkDevice logs in and asks. local tells that the device is this machine.
func (c *Checkup) checkDevice(ctx context.Context, bootstrap string) (checks []Check, local bool) {
	all := []string{Util, Provisioned, Connected, Storage, Clock, BootstrapReached}
	device, err := c.Connect(ctx)
	if errors.Is(err, ErrNoDevice) {
		first := doubtful(Login, "`mbl-cli select` chooses a device, or name it with --address", "no device is chosen")
		return append([]Check{first}, untried("no device is chosen", all...)...), false
	}
	if err != nil {
		return append([]Check{failure(Login, err)}, untried("the device cannot be logged in to", all...)...), false
	}
	defer device.Close()
	limited, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	said, err := ask(limited, device, deviceLayout, bootstrap)
	if _, whole := said["done"]; !whole && len(said) == 0 {
		return append([]Check{broken(Login, "the account on the device needs a POSIX shell", "logged in to %s, but it gave no answer%s", device.Target(), because(err))},
			untried("the device gave no answer", all...)...), false
	}
	checks = []Check{fine(Login, "logged in to %s", device.Target())}
	checks = append(checks, said.util(device.Target()), said.provisioned(), said.connected(), said.storage(), said.clock(c.Now()), said.server(bootstrap))
	return checks, isLoopback(device.Target().Host)
}

// silence is the check of a question without an answer.
func (a answers) silence(name, tool string) Check {
	if _, whole := a["done"]; !whole {
		return broken(name, "log in and see what hangs there", "the device did not answer in time")
	}
	return untried("the device has no "+tool, name)[0]
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

const noUtil = "there is no pelion-provisioning-util"

func (a answers) util(target ssh.Target) Check {
	version, asked := a["version"]
	switch {
	case a["util"] == "":
		if _, whole := a["done"]; !whole {
			return a.silence(Util, "")
		}
		return broken(Util, fmt.Sprintf("`mbl-cli enroll %s` puts mbl-device there", target), "the device has no %s", deviceLayout.util)
	case !asked:
		return a.silence(Util, "")
	case strings.HasPrefix(version, "mbl-device "):
		return fine(Util, "%s", version)
	default:
		return fine(Util, "the original pelion-provisioning-util")
	}
}

func (a answers) provisioned() Check {
	verdict, asked := a["provisioned"]
	switch {
	case !asked && a["util"] == "":
		return untried(noUtil, Provisioned)[0]
	case !asked:
		return a.silence(Provisioned, "")
	}
	code, reason, _ := strings.Cut(verdict, " ")
	if code == "0" {
		return fine(Provisioned, "the device is configured correctly")
	}
	return broken(Provisioned, "`mbl-cli provision-pelion` provisions it", "not provisioned: %s", reason)
}

func (a answers) connected() Check {
	text, asked := a["state"]
	if !asked {
		return a.silence(Connected, "mbl-device, so only the service knows")
	}
	var state struct {
		Provisioned, Registered bool
	}
	switch err := json.Unmarshal([]byte(text), &state); {
	case err != nil:
		return doubtful(Connected, "", "mbl-device gave no intelligible answer")
	case !state.Provisioned:
		return untried("the device has to be provisioned first", Connected)[0]
	case !state.Registered:
		return doubtful(Connected, "is `mbl-device run` running there? Its log says what it waits for", "the device is not registered at the moment")
	default:
		return fine(Connected, "the device is registered")
	}
}

func (a answers) storage() Check {
	switch a["scratch"] {
	case "writable":
		return a.room()
	case "missing":
		return broken(Storage, "make it: `mkdir /scratch` on the device", "the device has no folder /scratch")
	case "read-only":
		return broken(Storage, "mount it so that it can be written, for the account that logs in", "/scratch cannot be written")
	default:
		return a.silence(Storage, "")
	}
}

// room reads the last line of `df -Pk` (POSIX): the fourth column is what is
// free, in KiB.
func (a answers) room() Check {
	columns := strings.Fields(a["scratch-free"])
	if len(columns) < 4 {
		return fine(Storage, "/scratch can be written")
	}
	free, err := strconv.ParseInt(columns[3], 10, 64)
	switch {
	case err != nil:
		return fine(Storage, "/scratch can be written")
	case free < roomNeeded:
		return broken(Storage, "make some room there", "only %d KiB are free in /scratch", free)
	case free < roomWanted:
		return doubtful(Storage, "make some room there", "only %d KiB are free in /scratch", free)
	default:
		return fine(Storage, "/scratch can be written; free: %d MiB", free/1024)
	}
}

func (a answers) clock(now time.Time) Check {
	seconds, err := strconv.ParseInt(a["clock"], 10, 64)
	if err != nil {
		return a.silence(Clock, "date")
	}
	off := time.Unix(seconds, 0).Sub(now).Round(time.Second)
	if off.Abs() > clockTolerance {
		return doubtful(Clock, fmt.Sprintf("set it, as root on the device: `date -s @%d`", now.Unix()),
			"the device's clock says %s, which is off by %s", time.Unix(seconds, 0).UTC().Format(time.RFC3339), off)
	}
	return fine(Clock, "off by %s", off)
}

func (a answers) server(bootstrap string) Check {
	if text, asked := a["server"]; asked {
		return a.handshake(text)
	}
	switch {
	case a["name"] == "known":
		return untried(fmt.Sprintf("the device finds %s, but only mbl-device could tell whether its packets get through", host(bootstrap)), BootstrapReached)[0]
	case a["name"] == "unknown" && host(bootstrap) == "":
		return untried("the bootstrap server's address is not known", BootstrapReached)[0]
	case a["name"] == "unknown":
		return doubtful(BootstrapReached, "check the name server in the device's /etc/resolv.conf", "the device does not seem to find %s", host(bootstrap))
	default:
		return a.silence(BootstrapReached, "")
	}
}

// handshake reads what `mbl-device check-server --json` printed.
func (a answers) handshake(text string) Check {
	var seen struct {
		Server, Problem     string
		Reachable, Accepted bool
	}
	provisioned := strings.HasPrefix(a["provisioned"], "0")
	switch err := json.Unmarshal([]byte(text), &seen); {
	case err != nil:
		return untried("the device's mbl-device is too old to tell", BootstrapReached)[0]
	case seen.Server == "":
		return untried("the device is not provisioned, and the bootstrap server's address is not known", BootstrapReached)[0]
	case !seen.Reachable:
		return broken(BootstrapReached, "is the service running, and does every firewall between let UDP through to that port?",
			"the device cannot reach %s: %s", seen.Server, seen.Problem)
	case provisioned && !seen.Accepted:
		return broken(BootstrapReached, "`mbl-cli provision-pelion` gives it a certificate the service knows", "%s", seen.Problem)
	default:
		return fine(BootstrapReached, "the device reaches %s", seen.Server)
	}
}
