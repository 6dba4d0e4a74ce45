package kms

import (
	"fmt"
	"strconv"

	"loadkms/sandbox/iam"
)

// A GetKeyPolicyRequest names a key, by id or ARN.
type GetKeyPolicyRequest struct {
	KeyId      string `json:",omitempty"`
	PolicyName string `json:",omitempty"` // always "default"
}

// A GetKeyPolicyResponse holds the policy, as its author wrote it.
type GetKeyPolicyResponse struct{ Policy, PolicyName string }

// A PutKeyPolicyRequest gives a key, named by id or ARN, a new policy.
type PutKeyPolicyRequest struct {
	KeyId      string `json:",omitempty"`
	PolicyName string `json:",omitempty"` // always "default"
	Policy     string `json:",omitempty"` // JSON
	// BypassPolicyLockoutSafetyCheck accepts even a policy that the caller could not change again.
	BypassPolicyLockoutSafetyCheck bool `json:",omitempty"`
}

// A ListKeyPoliciesRequest asks for the next page of the names of a key's policies.
type ListKeyPoliciesRequest struct {
	KeyId  string `json:",omitempty"`
	Limit  *int32 `json:",omitempty"` // 1 to 1000; default 100
	Marker string `json:",omitempty"` // NextMarker of the page before
}

// A ListKeyPoliciesResponse is one page of names.
type ListKeyPoliciesResponse struct {
	PolicyNames []string
	NextMarker  string `json:",omitempty"`
	Truncated   bool
}

var (
	listKeyPolicies = operation[ListKeyPoliciesRequest, ListKeyPoliciesResponse]{"ListKeyPolicies", (*Service).listKeyPolicies}

	getKeyPolicy = operation[GetKeyPolicyRequest, GetKeyPolicyResponse]{"GetKeyPolicy", (*Service).getKeyPolicy}
	putKeyPolicy = operation[PutKeyPolicyRequest, nothing]{"PutKeyPolicy", (*Service).putKeyPolicy}
)

// ListKeyPolicies lists the names of a key's policies: always "default" alone. It works in every
// state.
func (s *Service) ListKeyPolicies(c iam.Caller, in *ListKeyPoliciesRequest) (*ListKeyPoliciesResponse, error) {
	return listKeyPolicies.call(s, c, in)
}

// GetKeyPolicy returns a key's policy. It works in every state.
func (s *Service) GetKeyPolicy(c iam.Caller, in *GetKeyPolicyRequest) (*GetKeyPolicyResponse, error) {
	return getKeyPolicy.call(s, c, in)
}

// PutKeyPolicy replaces a key's policy. It works in every state.
func (s *Service) PutKeyPolicy(c iam.Caller, in *PutKeyPolicyRequest) error {
	return putKeyPolicy.do(s, c, in)
}

// maxKeyPolicy is the largest key policy, 32 KiB: a quota, below the API model's limit.
const maxKeyPolicy = 32 << 10

// defaultPolicy is the policy of keys that are created without one.
func defaultPolicy(account string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions",`+
		`"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"}]}`, iam.RootARN(account))
}

// readPolicy parses a key policy and refuses it as KMS does: too large, malformed, naming principals
// that do not exist, or locking the caller out. The key need not be the
// service's yet; s.mu must be held.
func (s *Service) readPolicy(c iam.Caller, k *key, text string, bypass bool) (*iam.Policy, *Error) {
	if len(text) > maxKeyPolicy {
		return nil, refuse("LimitExceededException", "The size of the key policy exceeds the limit of %d bytes.", maxKeyPolicy)
	}
	p, err := iam.ParsePolicy([]byte(text), iam.Resource)
	if err != nil {
		return nil, refuse("MalformedPolicyDocumentException", "%v", err)
	}
	for _, principal := range p.Principals() {
		if !s.directory.Exists(principal) {
			return nil, refuse("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")
		}
	}
	if !bypass && s.lockedOut(c, k, p) {
		return nil, refuse("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return p, nil
}

func policyName(name string) *Error {
	if name == "" || name == "default" {
		return nil
	}
	return refuse("NotFoundException", "No such policy exists")
}

func (s *Service) listKeyPolicies(c *call, in *ListKeyPoliciesRequest) (*ListKeyPoliciesResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, err := s.manage(c, "ListKeyPolicies", in.KeyId, nil, access{}); err != nil {
		return nil, err
	}
	page, next, err := paginate([]string{"default"}, func(n string) string { return n }, in.Marker, in.Limit, 100)
	if err != nil {
		return nil, err
	}
	return &ListKeyPoliciesResponse{PolicyNames: append([]string{}, page...), NextMarker: next, Truncated: next != ""}, nil
}

func (s *Service) getKeyPolicy(c *call, in *GetKeyPolicyRequest) (*GetKeyPolicyResponse, *Error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, "GetKeyPolicy", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	if err := policyName(in.PolicyName); err != nil {
		return nil, err
	}
	return &GetKeyPolicyResponse{Policy: k.policyText, PolicyName: "default"}, nil
}

func (s *Service) putKeyPolicy(c *call, in *PutKeyPolicyRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.required("Policy", in.Policy, 131072)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "PutKeyPolicy", in.KeyId, nil, access{values: map[string]string{
		"bypasspolicylockoutsafetycheck": strconv.FormatBool(in.BypassPolicyLockoutSafetyCheck)}})
	if err != nil {
		return nil, err
	}
	if err := policyName(in.PolicyName); err != nil {
		return nil, err
	}
	p, err := s.readPolicy(c.caller, k, in.Policy, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	k.policy, k.policyText = p, in.Policy
	return &nothing{}, nil
}
