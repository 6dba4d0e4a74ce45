//go:build !unix

package faults

import "os/exec"

// detach does nothing where there are no sessions: the guard still survives a kill of the run alone.
func detach(*exec.Cmd) {}
