package kms

import (
	"regexp"

	"loadkms/sandbox/iam"
)

// A sandbox is one Region. It has multi-Region keys with ids that begin with mrk-, and each of them is
// a primary key without replicas. ReplicateKey and UpdatePrimaryRegion check everything that AWS
// checks, and then say that there is no other Region.

// A ReplicateKeyRequest asks for a replica, in another Region, of a multi-Region primary key.
type ReplicateKeyRequest struct {
	KeyId                          string `json:",omitempty"`
	ReplicaRegion                  string `json:",omitempty"`
	Policy                         string `json:",omitempty"`
	BypassPolicyLockoutSafetyCheck bool   `json:",omitempty"`
	Description                    string `json:",omitempty"`
	Tags                           []Tag  `json:",omitempty"`
}

// An UpdatePrimaryRegionRequest asks for the replica in another Region to become the primary key.
type UpdatePrimaryRegionRequest struct {
	KeyId         string `json:",omitempty"`
	PrimaryRegion string `json:",omitempty"`
}

var (
	replicateKey        = operation[ReplicateKeyRequest, nothing]{"ReplicateKey", (*Service).replicateKey}
	updatePrimaryRegion = operation[UpdatePrimaryRegionRequest, nothing]{"UpdatePrimaryRegion", (*Service).updatePrimaryRegion}
)

// ReplicateKey always refuses, at the latest because the sandbox is one Region.
func (s *Service) ReplicateKey(c iam.Caller, in *ReplicateKeyRequest) error {
	return replicateKey.do(s, c, in)
}

// UpdatePrimaryRegion always refuses, at the latest because the sandbox is one Region.
func (s *Service) UpdatePrimaryRegion(c iam.Caller, in *UpdatePrimaryRegionRequest) error {
	return updatePrimaryRegion.do(s, c, in)
}

// regionName is the pattern of Regions' names.
var regionName = regexp.MustCompile(`^([a-z]+-){2,3}\d+$`)

func (s *Service) replicateKey(c *call, in *ReplicateKeyRequest) (*nothing, *Error) {
	v := c.validation()
	v.optional("Policy", in.Policy, 1, 131072)
	v.optional("Description", in.Description, 0, 8192)
	return s.toRegion(c, v, "ReplicateKey", in.KeyId, "ReplicaRegion", in.ReplicaRegion,
		access{values: map[string]string{"replicaregion": in.ReplicaRegion}})
}

func (s *Service) updatePrimaryRegion(c *call, in *UpdatePrimaryRegionRequest) (*nothing, *Error) {
	return s.toRegion(c, c.validation(), "UpdatePrimaryRegion", in.KeyId, "PrimaryRegion", in.PrimaryRegion,
		access{values: map[string]string{"primaryregion": in.PrimaryRegion}})
}

// toRegion is both operations. No source has the texts of AWS's refusals.
func (s *Service) toRegion(c *call, v *validation, action, keyID, member, region string, a access) (*nothing, *Error) {
	v.required("KeyId", keyID, 2048)
	v.required(member, region, 32)
	v.pattern(member, region, regionName)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, action, keyID, nil, a)
	if err != nil {
		return nil, err
	}
	if !k.multiRegion {
		return nil, refuse("UnsupportedOperationException", "%s is not a multi-Region key.", k.arn)
	}
	if err := usable.check(k); err != nil {
		return nil, err
	}
	if region == s.region {
		return nil, refuse("ValidationException", "%s is already the Region of %s.", region, k.arn)
	}
	return nil, refuse("UnsupportedOperationException", "the sandbox is the one Region %s and has no %s", s.region, region)
}
