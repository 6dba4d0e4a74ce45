package kms

import "time"

// Place gives a key with Origin EXTERNAL material without the wrapping, which takes a test's time; pending
// is for its next rotation.
func (s *Service) Place(id string, secret []byte, pending bool) {
	s.mu.Lock()
	defer s.unlock()
	k := s.keys[id]
	s.suspect(k)
	m, err := materialOf(k.id, k.spec, secret)
	if err != nil {
		panic(err)
	}
	v := k.add(m, time.Time{})
	if v.pending = pending; !pending {
		k.current, k.state = v, Enabled
	}
}

// NewSecret makes a secret for a KeySpec, in the form that Place takes.
func NewSecret(spec string) []byte { return newSecret(spec) }
