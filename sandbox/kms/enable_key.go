package kms

import "loadkms/sandbox/iam"

// An EnableKeyRequest names the key to enable, by id or ARN.
type EnableKeyRequest struct {
	KeyId string `json:",omitempty"`
}

// A DisableKeyRequest names the key to disable, by id or ARN.
type DisableKeyRequest struct {
	KeyId string `json:",omitempty"`
}

var (
	enableKey  = operation[EnableKeyRequest, nothing]{"EnableKey", (*Service).enableKey}
	disableKey = operation[DisableKeyRequest, nothing]{"DisableKey", (*Service).disableKey}
)

// EnableKey makes a disabled key usable. Enabling an enabled key changes nothing.
func (s *Service) EnableKey(c iam.Caller, in *EnableKeyRequest) error { return enableKey.do(s, c, in) }

// DisableKey makes a key unusable until it is enabled. Disabling a disabled key changes nothing.
func (s *Service) DisableKey(c iam.Caller, in *DisableKeyRequest) error {
	return disableKey.do(s, c, in)
}

func (s *Service) enableKey(c *call, in *EnableKeyRequest) (*nothing, *Error) {
	return s.turn(c, "EnableKey", in.KeyId, Enabled)
}

func (s *Service) disableKey(c *call, in *DisableKeyRequest) (*nothing, *Error) {
	return s.turn(c, "DisableKey", in.KeyId, Disabled)
}

func (s *Service) turn(c *call, action, keyID string, to State) (*nothing, *Error) {
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, action, keyID, switchable, access{})
	if err != nil {
		return nil, err
	}
	k.state = to
	s.resume(k, c.now)
	return &nothing{}, nil
}

// manage finds a key by id or ARN, for an operation that manages it: authorized, and in a state that
// the operation accepts (nil: any). s.mu must be held.
func (s *Service) manage(c *call, action, keyID string, d demand, a access) (*key, *Error) {
	v := c.validation()
	v.required("KeyId", keyID, 2048)
	if err := v.err(); err != nil {
		return nil, err
	}
	k, _, err := s.find(c, action, keyID, byKey)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(c, action, k, a); err != nil {
		return nil, err
	}
	if err := d.check(k); err != nil {
		return nil, err
	}
	return k, nil
}
