package sandbox

import (
	"math"
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the program if this one is killed.
// Ctrl-C on the terminal reaches this program alone, which then stops the
// others in order.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}

// openFiles is how many files the process may open; 0: unknown.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}
