package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mbl/internal/usererr"
)

// readyTime is how long a program has to become ready.
const readyTime = 20 * time.Second

// running is a program that was started and writes to a log file.
type running struct {
	name    string
	logFile string
	cmd     *exec.Cmd
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has ended
}

// startProgram starts a program that runs until stop, with a small environment
// of its own.
func (a *app) startProgram(name, logFile, program string, args ...string) (*running, error) {
	file, err := a.findProgram(program)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write the log of %s: %w", name, err)
	}
	defer log.Close() // the program has its own
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{name: name, logFile: logFile, cmd: newProcess(ctx, file, args...), cancel: cancel, done: make(chan struct{})}
	r.cmd.WaitDelay = actorStopTime
	r.cmd.Args[0] = program
	r.cmd.Env = []string{"PATH=" + a.sys.Getenv("PATH"), "HOME=" + filepath.Dir(logFile)}
	r.cmd.Stderr = log // what it prints besides may be a secret: the service's first key
	if err := r.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait() // how it ended is in its log
	}()
	return r, nil
}

// stop asks the program to stop and waits until it has.
func (r *running) stop() {
	r.cancel()
	<-r.done
}

// untilReady waits for the JSON file that the program writes once it accepts
// connections, and reads it into v. The file is the program's own if it holds
// its process id.
func (r *running) untilReady(ctx context.Context, file string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		if data, err := os.ReadFile(file); err == nil {
			var written struct {
				PID int `json:"pid"`
			}
			if json.Unmarshal(data, &written) == nil && written.PID == r.cmd.Process.Pid {
				return json.Unmarshal(data, v)
			}
		}
		select {
		case <-r.done:
			return usererr.Failure("%s ended at once", r.name).WithHint("its log, %s, ends with:\n%s", r.logFile, tail(r.logFile))
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w", r.name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

const tailLines = 15

// tail is the end of a log file, indented.
func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "  " + strings.Join(lines, "\n  ")
}
