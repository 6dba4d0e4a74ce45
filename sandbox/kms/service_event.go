package kms

import "time"

// A ServiceEvent is something that KMS does to a key by itself, as CloudTrail records it.
type ServiceEvent struct {
	Name   string // RotateKey, DeleteKey or DeleteExpiredKeyMaterial
	At     time.Time
	KeyARN string
	KeyID  string
}

// announce tells the service's owner of an event. s.mu must be held.
func (s *Service) announce(e ServiceEvent) {
	if s.events != nil {
		s.events(e)
	}
}

// Settle lets everything happen that has become due: rotations, deletions, expiries. Every call does
// it first; Settle is for those who want to see the events without making one.
func (s *Service) Settle() { s.settle(s.clock.Now()) }
