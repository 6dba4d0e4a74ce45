package client

// Conns are the connections of one virtual user, for Exchange.Own. The zero value has none; it makes them
// as it needs them.
type Conns struct{ all []*conn }

// idle returns an idle connection to the origin of p, the one made last, or nil.
func (s *Conns) idle(p *pool) *conn {
	for i := len(s.all) - 1; i >= 0; i-- {
		if c := s.all[i]; c.pool == p && c.state == idle {
			return c
		}
	}
	return nil
}

// remove forgets c.
func (s *Conns) remove(c *conn) {
	for i, other := range s.all {
		if other == c {
			last := len(s.all) - 1
			s.all[i], s.all[last] = s.all[last], nil
			s.all = s.all[:last]
			return
		}
	}
}

// Release closes a user's own connections: those in use when their exchange has ended. Afterwards s is
// empty, and may be used again.
func (l *Loop) Release(s *Conns) {
	for len(s.all) > 0 {
		c := s.all[len(s.all)-1]
		if c.state == idle {
			l.drop(c)
			continue
		}
		s.remove(c)
		c.own, c.doomed = nil, true
	}
}
