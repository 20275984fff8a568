package deviceapp

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// rebootTime is how long the reboot command may take. The machine may be gone
// before it ends.
const rebootTime = time.Minute

// rebooter makes a function that runs a shell command; nil without one.
func rebooter(command string) func() error {
	if command == "" {
		return nil
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), rebootTime)
		defer cancel()
		out, err := exec.CommandContext(ctx, "/bin/sh", "-c", command).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%q: %w: %s", command, err, bytes.TrimSpace(out))
		}
		return nil
	}
}
