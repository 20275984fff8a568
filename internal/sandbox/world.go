package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// world is a service and virtual devices, all in one folder of the host.
type world struct {
	app      *app
	dir      string
	programs []*running // in the order they were started, the service first
}

// service is how to reach a service, as mbl-cloud writes it.
type service struct {
	HTTP string `json:"http"`
}

// servicePorts are the addresses a service listens on.
type servicePorts struct{ http, bootstrap, lwm2m, download string }

// anyPorts never meet another service's.
func anyPorts() servicePorts {
	const any = "127.0.0.1:0"
	return servicePorts{any, any, any, any}
}

// usualPorts stay the same from one start to the next, as devices that have
// credentials expect.
func usualPorts() servicePorts {
	return servicePorts{"127.0.0.1:8080", "127.0.0.1:5684", "127.0.0.1:5685", "127.0.0.1:8081"}
}

func (w *world) logDir() string      { return filepath.Join(w.dir, "logs") }
func (w *world) cloudDir() string    { return filepath.Join(w.dir, "cloud") }
func (w *world) log(n string) string { return filepath.Join(w.logDir(), n+".log") }

// newWorld makes the folder's rooms.
func (a *app) newWorld(dir string) (*world, error) {
	w := &world{app: a, dir: dir}
	if err := os.MkdirAll(w.logDir(), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the sandbox's folder: %w", err)
	}
	return w, nil
}

// startService starts a service and waits until it answers.
func (w *world) startService(ctx context.Context, ports servicePorts) (service, error) {
	var made service
	program, err := w.app.startProgram("the service", w.log("service"), "mbl-cloud", "serve",
		"--data", w.cloudDir(), "--host", "127.0.0.1", "--devices-per-certificate", "0", "--private-callbacks",
		"--http", ports.http, "--bootstrap", ports.bootstrap, "--lwm2m", ports.lwm2m, "--download", ports.download)
	if err != nil {
		return made, err
	}
	w.programs = append(w.programs, program)
	return made, program.untilReady(ctx, filepath.Join(w.cloudDir(), "run.json"), &made)
}

// newAPIKey makes an administrator's API key.
func (w *world) newAPIKey(ctx context.Context) (string, error) {
	program, err := w.app.findProgram("mbl-cloud")
	if err != nil {
		return "", err
	}
	cmd := newProcess(ctx, program, "api-key", "create", "--data", w.cloudDir(), "--name", "sandbox", "--group", "administrators")
	cmd.Args[0] = "mbl-cloud"
	var problem strings.Builder
	cmd.Stderr = &problem
	key, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot make an API key: %w: %s", err, strings.TrimSpace(problem.String()))
	}
	return strings.TrimSpace(string(key)), nil
}

// startDevice starts a virtual device and waits until it answers.
func (w *world) startDevice(ctx context.Context, name string) (runFile, error) {
	program, err := w.launchDevice(name)
	if err != nil {
		return runFile{}, err
	}
	return w.deviceReady(ctx, program)
}

// launchDevice starts a virtual device; deviceReady waits for it.
func (w *world) launchDevice(name string) (*running, error) {
	program, err := w.app.startProgram(name, w.log(name), "mbl-sandbox", "device",
		"--root", w.deviceDir(name), "--ssh", "127.0.0.1:0", "--name", name)
	if err == nil {
		w.programs = append(w.programs, program)
	}
	return program, err
}

// deviceNames are the names for so many devices: those the folder has from
// before, then new ones that no other sandbox on the network uses.
func (w *world) deviceNames(count int) ([]string, error) {
	kept, err := os.ReadDir(w.deviceDir(""))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot tell which devices there are: %w", err)
	}
	var names []string
	for _, entry := range kept {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	for number := 1; len(names) < count; number++ {
		if name := fmt.Sprintf("sandbox-%d-%d", os.Getpid(), number); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names[:count], nil
}

func (w *world) deviceDir(name string) string { return filepath.Join(w.dir, "devices", name) }

func (w *world) deviceReady(ctx context.Context, program *running) (run runFile, err error) {
	err = program.untilReady(ctx, runFilePath(w.deviceDir(program.name)), &run)
	return run, err
}

// launchAtOnce is how many devices start at the same time: enough to keep the
// processors busy, few enough for each to be ready soon.
const launchAtOnce = 8

// startDevices starts virtual devices and tells of each, in their order, once
// it answers.
func (w *world) startDevices(ctx context.Context, names []string, ready func(runFile)) error {
	var waiting []*running
	for len(names) > 0 || len(waiting) > 0 {
		if len(names) > 0 && len(waiting) < launchAtOnce {
			program, err := w.launchDevice(names[0])
			if err != nil {
				return err
			}
			names, waiting = names[1:], append(waiting, program)
			continue
		}
		run, err := w.deviceReady(ctx, waiting[0])
		if err != nil {
			return err
		}
		waiting = waiting[1:]
		ready(run)
	}
	return nil
}

// stop stops everything: the devices at once, so that they say goodbye to a
// service that is still there, then the service.
func (w *world) stop() {
	if len(w.programs) == 0 {
		return
	}
	devices := w.programs[1:]
	for _, program := range devices {
		program.cancel()
	}
	for _, program := range devices {
		program.stop()
	}
	w.programs[0].stop()
	w.programs = nil
}

// failed is closed when one of the programs ends by itself.
func (w *world) failed(ctx context.Context) <-chan *running {
	ended := make(chan *running, len(w.programs))
	for _, program := range w.programs {
		go func() {
			select {
			case <-program.done:
				ended <- program
			case <-ctx.Done():
			}
		}()
	}
	return ended
}

// shownAs is how a person types a program: its name if the shell finds it, else
// its path.
func (a *app) shownAs(program string) string {
	file, err := a.findProgram(program)
	if err != nil {
		return program
	}
	if inPath, err := exec.LookPath(program); err == nil && inPath == file {
		return program
	}
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if short, err := filepath.Rel(here, file); err == nil && !strings.HasPrefix(short, "..") {
		return "./" + short
	}
	return file
}
