package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mbl/e2e/stage"
)

// residentLimit is what a gateway-class board can spare for a device program
// that does nothing.
const residentLimit = 20 << 10 // KiB

// resident holds the memory of a registered, idle device against what a board
// can spare.
func resident(ctx context.Context, dir string) (result, error) {
	const idle = 30 * time.Second
	pid, stop, err := registeredDevice(dir)
	if err != nil {
		return result{}, err
	}
	defer stop()
	most, own := 0, 0
	for end := time.Now().Add(idle); time.Now().Before(end); {
		kib, err := residentOf(pid)
		if err != nil {
			return result{}, err
		}
		most = max(most, kib)
		if kib, err = memoryOf(pid, "RssAnon"); err != nil {
			return result{}, err
		}
		own = max(own, kib)
		select {
		case <-ctx.Done():
			return result{}, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return result{
		what:  "resident memory of mbl-device, registered and idle",
		ours:  fmt.Sprintf("%.1f MiB", float64(most)/1024),
		bare:  fmt.Sprintf("%d MiB, what a board spares", residentLimit>>10),
		ratio: float64(most) / residentLimit,
		goal:  atMost(1),
		how: fmt.Sprintf("VmRSS of the real program, the most in %v after it registered, over DTLS on loopback; %.1f MiB of it its own (RssAnon), the rest pages of its file",
			idle, float64(own)/1024),
	}, nil
}

// registeredDevice starts a service and a device, provisions it, and returns
// the process of its program once it is registered.
func registeredDevice(dir string) (pid int, stop func(), err error) {
	opts := stage.Options{Dir: dir}
	service, err := stage.StartService(program("mbl-cloud"), filepath.Join(dir, "data"), opts)
	if err != nil {
		return 0, nil, err
	}
	stop = func() { service.Stop() }
	key, err := service.NewKey("bench", "administrators")
	if err != nil {
		return 0, stop, err
	}
	workstation, err := stage.NewWorkstation(program("mbl-cli"), dir)
	if err != nil {
		return 0, stop, err
	}
	if err := workstation.Prepare(service, key); err != nil {
		return 0, stop, err
	}
	device, err := stage.StartDevice(program("mbl-sandbox"), "board", filepath.Join(dir, "board"), opts, "--announce=false")
	if err != nil {
		return 0, stop, err
	}
	stop = func() { device.Stop(); service.Stop() }
	if err := workstation.Provision(device, "boards"); err != nil {
		return 0, stop, err
	}
	err = stage.Until(func() error {
		pid, err = registeredPID(filepath.Join(device.Root, "var/lib/mbl-device/run.json"))
		return err
	})
	return pid, stop, err
}

// registeredPID reads what a running device says of itself.
func registeredPID(file string) (int, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var state struct {
		PID        int  `json:"pid"`
		Registered bool `json:"registered"`
	}
	if err := json.Unmarshal(content, &state); err != nil {
		return 0, err
	}
	if !state.Registered {
		return 0, fmt.Errorf("the device is not registered")
	}
	return state.PID, nil
}

// residentOf is a process's VmRSS in KiB.
func residentOf(pid int) (int, error) { return memoryOf(pid, "VmRSS") }

// memoryOf is what the kernel says of a process's memory (proc_pid_status(5)),
// in KiB.
func memoryOf(pid int, what string) (int, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, what+":"); ok {
			return strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, what)
}
