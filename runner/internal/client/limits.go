package client

import (
	"errors"
	"syscall"
)

// Limits are those of this machine that a load generator meets first. Zero means unknown.
type Limits struct {
	Files, FilesUsed uint64 // descriptors this process may have, and has

	// Ports are those a connection may leave from: there can be as many connections to one address and
	// port. PortsUsed are the TCP sockets in use or lingering in TIME_WAIT, of the whole machine and to
	// whatever address: a bound of those that are taken.
	Ports, PortsUsed uint64
}

// OwnLimit says which limit of this machine, not of the server, a connection could not be made for: "open
// files", "local ports", or "" for none.
func OwnLimit(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "open files"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "local ports"
	}
	return ""
}
