package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	fleetDevices = 100
	slowDevices  = 32
	slowWire     = 100 * time.Millisecond // each way
	fleetBound   = 60 * time.Second
	fleetStart   = 2 * time.Minute // for the sandbox to be up
)

// fleetTogether holds provisioning many slow devices side by side against
// provisioning them one after another. Slow means a long way to each.
func fleetTogether(ctx context.Context, dir string) (result, error) {
	s, err := startSandbox(ctx, dir, slowDevices)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	var far []string
	for _, device := range s.devices {
		address, err := farAway(ctx, device)
		if err != nil {
			return result{}, err
		}
		far = append(far, address)
	}
	if err := s.provision(ctx, far, "--accept-new-host-key", "--create-dev-cert"); err != nil {
		return result{}, err
	}
	oneByOne, err := timed(ctx, func(ctx context.Context) error { return s.provision(ctx, far, "--again", "--parallel", "1") })
	if err != nil {
		return result{}, err
	}
	together, err := timed(ctx, func(ctx context.Context) error { return s.provision(ctx, far, "--again") })
	if err != nil {
		return result{}, err
	}
	return result{
		what:  fmt.Sprintf("provisioning %d slow devices at once", slowDevices),
		ours:  milliseconds(together),
		bare:  milliseconds(oneByOne) + " one after another",
		ratio: float64(oneByOne) / float64(together),
		goal:  atLeast(8),
		how:   fmt.Sprintf("one run each; virtual devices, %v to each and back; ratio is one after another : at once", 2*slowWire),
	}, nil
}

// fleetOfMany holds provisioning many devices for the first time against the
// bound.
func fleetOfMany(ctx context.Context, dir string) (result, error) {
	s, err := startSandbox(ctx, dir, fleetDevices)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	took, err := timed(ctx, func(ctx context.Context) error {
		return s.provision(ctx, s.devices, "--accept-new-host-key", "--create-dev-cert")
	})
	if err != nil {
		return result{}, err
	}
	return result{
		what:  fmt.Sprintf("provisioning %d devices for the first time", fleetDevices),
		ours:  milliseconds(took),
		bare:  milliseconds(fleetBound) + " allowed",
		ratio: float64(took) / float64(fleetBound),
		goal:  atMost(1),
		how:   "one run; virtual devices, which share the machine; certificate created on the way",
	}, nil
}

// sandbox is a running `mbl-sandbox up` and somebody's home with its API key.
type sandbox struct {
	process *exec.Cmd
	home    string
	devices []string // SSH addresses
}

func startSandbox(ctx context.Context, dir string, devices int) (*sandbox, error) {
	s := &sandbox{home: filepath.Join(dir, "home")}
	if err := os.Mkdir(s.home, 0o700); err != nil {
		return nil, err
	}
	s.process = exec.CommandContext(ctx, program("mbl-sandbox"), "up", "--devices", fmt.Sprint(devices))
	s.process.Env = append(os.Environ(), "TMPDIR="+dir)
	s.process.Cancel = func() error { return s.process.Process.Signal(os.Interrupt) }
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	late := time.AfterFunc(fleetStart, func() { _ = s.process.Process.Kill() })
	defer late.Stop()
	url, key, err := s.readIntroduction(out)
	if err == nil {
		err = errors.Join(
			s.cli(ctx, key, "--api-url", url, "save-api-key", "-"),
			s.cli(ctx, "", "create-update-certificate", "updates", "--domain", "example.com", "--model", "board"))
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("cannot prepare the sandbox: %w", err)
	}
	return s, nil
}

// readIntroduction reads what mbl-sandbox says to people until it is ready.
func (s *sandbox) readIntroduction(out io.Reader) (url, key string, err error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Ctrl-C stops"):
			return url, key, nil
		case strings.Contains(line, "is a virtual device"):
			s.devices = append(s.devices, words[len(words)-1])
		case strings.Contains(line, " save-api-key "):
			url, key = words[2], words[4]
		}
	}
	return "", "", errors.Join(errors.New("mbl-sandbox ended"), lines.Err())
}

func (s *sandbox) stop() {
	_ = s.process.Process.Signal(syscall.SIGINT)
	_ = s.process.Wait() // it prints what went wrong
}

func (s *sandbox) provision(ctx context.Context, devices []string, flags ...string) error {
	args := append([]string{"--no-input", "provision-pelion", "fleet", "updates", "--from", "-"}, flags...)
	return s.cli(ctx, strings.Join(devices, "\n"), args...)
}

func (s *sandbox) cli(ctx context.Context, input string, args ...string) error {
	cmd := exec.CommandContext(ctx, program("mbl-cli"), args...)
	cmd.Env = []string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mbl-cli %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// farAway makes a device answer late: the address it returns passes everything
// on after a while, until ctx ends.
func farAway(ctx context.Context, device string) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(ctx, "tcp", device)
			if err != nil {
				near.Close()
				continue
			}
			go delay(near, far)
			go delay(far, near)
		}
	}()
	return listener.Addr().String(), nil
}

// delay passes on what comes, each piece after the time of the wire.
func delay(from, to net.Conn) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{time.Now().Add(slowWire), buffer[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			from.Close()
		}
	}
	to.Close()
}
