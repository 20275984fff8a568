// Package programtest helps tests that start programs, ours or other people's.
package programtest

import (
	"os"
	"os/signal"
	"syscall"
)

// DefaultSignals gives the processes a test starts the signals as a login
// would: a test run in the background or under nohup inherits some of them
// ignored, hands them on so, and a shell cannot trap what was ignored when it
// started. Call it in TestMain.
func DefaultSignals() {
	for _, each := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		if signal.Ignored(each) {
			// A signal somebody waits for is no longer ignored, and what is
			// waited for is back to its default in a new process.
			signal.Notify(make(chan os.Signal, 1), each)
		}
	}
}
