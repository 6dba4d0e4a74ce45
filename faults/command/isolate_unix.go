//go:build unix

package command

import (
	"os/exec"
	"syscall"
)

// isolate gives a command a process group of its own. Ctrl-C is sent to the terminal's: it must not end
// the undo command. Whatever the command has started ends with it.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
