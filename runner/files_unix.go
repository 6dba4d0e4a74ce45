//go:build unix

package runner

import (
	"errors"
	"io"
	"math"
	"os"
	"syscall"
)

// openFiles returns how many files and sockets the process has open, and how many it may have.
func openFiles() (used, limit int) {
	var most syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most) != nil {
		return 0, 0
	}
	for _, folder := range []string{"/proc/self/fd", "/dev/fd"} {
		if n, ok := entries(folder); ok {
			return n, int(min(uint64(most.Cur), math.MaxInt32)) // beyond it lies "unlimited"
		}
	}
	return 0, 0
}

// entries returns how many entries a folder has. Linux from 6.2 on says so in the size of /proc/self/fd,
// which spares listing tens of thousands of sockets once a second.
func entries(folder string) (int, bool) {
	if info, err := os.Stat(folder); err == nil && folder == "/proc/self/fd" && info.Size() > 0 {
		return int(info.Size()), true
	}
	dir, err := os.Open(folder)
	if err != nil {
		return 0, false
	}
	defer dir.Close()
	for n := 0; ; {
		names, err := dir.Readdirnames(1024)
		n += len(names)
		if err != nil {
			return n - 1, errors.Is(err, io.EOF) // without the folder itself
		}
	}
}
