//go:build unix

package faults

import (
	"os/exec"
	"syscall"
)

// detach gives the process a session of its own.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
