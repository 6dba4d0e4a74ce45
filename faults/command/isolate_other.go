//go:build !unix

package command

import "os/exec"

// isolate does nothing where there are no process groups: a command that is out of time is killed.
func isolate(*exec.Cmd) {}
