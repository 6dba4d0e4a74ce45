package client

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadLimits returns the limits as they are now. It reads a few files under /proc, and takes a millisecond
// for every few thousand descriptors.
func ReadLimits() (Limits, error) {
	var (
		l     Limits
		files unix.Rlimit
	)
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return l, fmt.Errorf("read limits: %w", os.NewSyscallError("getrlimit", err))
	}
	l.Files = files.Cur
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return l, fmt.Errorf("read limits: %w", err)
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return l, fmt.Errorf("read limits: %w", err)
	}
	l.FilesUsed = uint64(len(names)) - 1 // without the one that read them

	ports, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return l, fmt.Errorf("read limits: %w", err)
	}
	var first, last uint64
	if _, err := fmt.Sscan(string(ports), &first, &last); err != nil || last < first {
		return l, fmt.Errorf("read limits: /proc/sys/net/ipv4/ip_local_port_range says %q", ports)
	}
	l.Ports = last - first + 1
	for _, name := range []string{"/proc/net/sockstat", "/proc/net/sockstat6"} {
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) { // no IPv6
			continue
		} else if err != nil {
			return l, fmt.Errorf("read limits: %w", err)
		}
		n, err := sockets(string(b))
		if err != nil {
			return l, fmt.Errorf("read limits: %s: %w", name, err)
		}
		l.PortsUsed += n
	}
	return l, nil
}

// sockets sums what a sockstat file says about TCP: "TCP: inuse 7 orphan 0 tw 2 alloc 9 mem 1".
func sockets(stat string) (n uint64, err error) {
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TCP:" && fields[0] != "TCP6:" {
			continue
		}
		for i := 1; i+1 < len(fields); i += 2 {
			if fields[i] != "inuse" && fields[i] != "tw" {
				continue
			}
			var value uint64
			if _, err := fmt.Sscan(fields[i+1], &value); err != nil {
				return 0, fmt.Errorf("%q is not a number", fields[i+1])
			}
			n += value
		}
	}
	return n, nil
}
