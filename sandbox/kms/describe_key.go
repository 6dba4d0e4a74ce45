package kms

import "loadkms/sandbox/iam"

// A DescribeKeyRequest asks about a key.
type DescribeKeyRequest struct {
	KeyId       string   `json:",omitempty"` // or alias
	GrantTokens []string `json:",omitempty"`
}

// A DescribeKeyResponse describes a key.
type DescribeKeyResponse struct{ KeyMetadata KeyMetadata }

// A ListKeysRequest asks for the next page of keys.
type ListKeysRequest struct {
	Limit  *int32 `json:",omitempty"` // 1 to 1000; default 100
	Marker string `json:",omitempty"` // NextMarker of the page before
}

// A ListKeysResponse is one page of keys.
type ListKeysResponse struct {
	Keys       []KeyListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// A KeyListEntry names a key.
type KeyListEntry struct {
	KeyId  string
	KeyArn string
}

var (
	describeKey = operation[DescribeKeyRequest, DescribeKeyResponse]{"DescribeKey", (*Service).describeKey}
	listKeys    = operation[ListKeysRequest, ListKeysResponse]{"ListKeys", (*Service).listKeys}
)

// DescribeKey tells what a key is and in which state. It works in every state.
func (s *Service) DescribeKey(c iam.Caller, in *DescribeKeyRequest) (*DescribeKeyResponse, error) {
	return describeKey.call(s, c, in)
}

// ListKeys lists all keys of the account, in the order of their ids.
func (s *Service) ListKeys(c iam.Caller, in *ListKeysRequest) (*ListKeysResponse, error) {
	return listKeys.call(s, c, in)
}

func (s *Service) describeKey(c *call, in *DescribeKeyRequest) (*DescribeKeyResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.tokens(in.GrantTokens)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, alias, err := s.find(c, "DescribeKey", in.KeyId, byKeyOrAlias)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(c, "DescribeKey", k, access{alias: alias}); err != nil {
		return nil, err
	}
	return &DescribeKeyResponse{s.metadata(k)}, nil
}

func (s *Service) listKeys(c *call, in *ListKeysRequest) (*ListKeysResponse, *Error) {
	v := c.validation()
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	if err := s.authorizeIdentity(c.caller, "ListKeys", "*"); err != nil {
		return nil, err
	}
	s.mu.RLock()
	all := make([]KeyListEntry, 0, len(s.keys))
	for id, k := range s.keys {
		if s.view(c, k) == nil {
			continue
		}
		all = append(all, KeyListEntry{id, k.arn})
	}
	s.mu.RUnlock()
	page, next, err := paginate(all, func(e KeyListEntry) string { return e.KeyId }, in.Marker, in.Limit, 100)
	if err != nil {
		return nil, err
	}
	return &ListKeysResponse{Keys: page, NextMarker: next, Truncated: next != ""}, nil
}
