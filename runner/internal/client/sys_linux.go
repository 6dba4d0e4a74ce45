package client

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func sysRead(fd int, b []byte) (int, syscall.Errno)  { return transfer(unix.SYS_READ, fd, b) }
func sysWrite(fd int, b []byte) (int, syscall.Errno) { return transfer(unix.SYS_WRITE, fd, b) }

// transfer reads or writes. That does not block on the descriptors it is used on, so the scheduler need not know.
func transfer(call uintptr, fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// A poller waits for events on descriptors.
type poller struct {
	fd     int
	coarse bool // the kernel, or what filters its calls, has no epoll_pwait2
	events [256]unix.EpollEvent
	none   unix.Timespec
	until  unix.Timespec
}

// control registers a descriptor (EPOLL_CTL_ADD), or changes what is asked of it (EPOLL_CTL_MOD).
func (p *poller) control(op, fd int, events uint32, gen int32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: gen}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &e))
}

// look returns what has happened. It does not block.
func (p *poller) look() ([]unix.EpollEvent, error) {
	call, timeout := uintptr(unix.SYS_EPOLL_PWAIT2), &p.none
	if p.coarse {
		call, timeout = unix.SYS_EPOLL_PWAIT, nil // its timeout is a number: 0
	}
	n, _, errno := syscall.RawSyscall6(call, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(timeout)), 0, 0)
	return p.seen(n, errno)
}

// wait waits until something happens, d has passed, or a signal comes.
func (p *poller) wait(d time.Duration) ([]unix.EpollEvent, error) {
	p.until = unix.NsecToTimespec(int64(d))
	if p.coarse {
		// An epoll descriptor can itself be waited for, and ppoll knows nanoseconds.
		fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if _, err := unix.Ppoll(fds, &p.until, nil); err != nil && err != unix.EINTR {
			return nil, err
		}
		return p.look()
	}
	n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(&p.until)), 0, 0)
	return p.seen(n, errno)
}

func (p *poller) seen(n uintptr, errno syscall.Errno) ([]unix.EpollEvent, error) {
	switch errno {
	case 0:
		return p.events[:n], nil
	case unix.EINTR:
		return nil, nil
	case unix.ENOSYS, unix.EPERM: // a kernel before 5.11, or a filter before libseccomp 2.5
		if !p.coarse {
			p.coarse = true
			return nil, nil
		}
	}
	return nil, errno
}
