//go:build unix

package runner

import (
	"syscall"
	"time"
)

// cpuTime returns the user and system time this process has used, and 0 if it is not known.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
