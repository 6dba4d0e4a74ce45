package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"loadkms/result"
)

// ErrNotSent marks errors of requests that could not be made, and of which nothing was sent.
var ErrNotSent = errors.New("nothing was sent")

// Classify returns the class of a request that ended with err instead of a complete answer, be it
// from RoundTrip or from reading the body; OK for nil.
//
// Order matters: an error often is several of these at once (a handshake that times out), and the
// first that fits says most about where to look.
func Classify(err error) result.Class {
	var (
		dns     *net.DNSError
		timeout interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return result.OK
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return result.Timeout
	case errors.Is(err, ErrNotSent):
		return result.CaptureFailed
	case errors.As(err, &dns):
		return result.DNS
	case isTLS(err):
		return result.TLS
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return result.ConnectionRefused
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		// We ran out of files or ports: nothing was sent, and it is not the server's fault.
		return result.CaptureFailed
	case errors.As(err, &timeout) && timeout.Timeout():
		return result.Timeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.Canceled):
		return result.ConnectionReset
	}
	// What follows net/http does not export.
	for _, text := range []string{
		"server closed idle connection", "http2: server sent GOAWAY", "http2: client connection lost", "; received from peer",
	} {
		if strings.Contains(err.Error(), text) {
			return result.ConnectionReset
		}
	}
	return result.BadResponse
}

// isTLS reports whether err means that no secure connection could be made.
func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	if errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) {
		return true
	}
	// An alert the server sent has an unexported type; crypto/tls marks it with this operation.
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	return strings.HasPrefix(err.Error(), "tls: ") || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}
