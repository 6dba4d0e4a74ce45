package client

import (
	"errors"
	"syscall"
)

// OwnLimit says which limit of this machine, not of the server, a connection could not be made for: "open files", "local
// ports", or "" for none.
func OwnLimit(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "open files"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "local ports"
	}
	return ""
}
