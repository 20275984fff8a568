package sandbox

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the program if this one is killed.
// Ctrl-C on the terminal reaches this program alone, which then stops the
// others in order.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
