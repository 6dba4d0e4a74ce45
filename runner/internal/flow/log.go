package flow

import (
	"io"
	"sync"
)

// A logger writes whole lines, one user at a time.
type logger struct {
	mu   sync.Mutex // held for one write
	to   io.Writer
	said map[string]bool
}

// line writes b and a newline.
func (l *logger) line(b []byte) {
	if l.to == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.to.Write(append(append(make([]byte, 0, len(b)+1), b...), '\n')) // nobody is there to tell
}

// mostSaid bounds what once says: a function that fails fails for every user.
const mostSaid = 20

// once writes an error the first time it occurs.
func (l *logger) once(err error) {
	l.mu.Lock()
	known := l.said[err.Error()] || len(l.said) == mostSaid
	if !known {
		if l.said == nil {
			l.said = map[string]bool{}
		}
		l.said[err.Error()] = true
	}
	l.mu.Unlock()
	if !known {
		l.line([]byte(err.Error()))
	}
}
