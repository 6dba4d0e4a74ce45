package kms

import "loadkms/sandbox/iam"

// An UpdateKeyDescriptionRequest gives a key, named by id or ARN, another description.
type UpdateKeyDescriptionRequest struct {
	KeyId       string `json:",omitempty"`
	Description string // "" for none; KMS wants the member to be there
}

var updateKeyDescription = operation[UpdateKeyDescriptionRequest, nothing]{
	"UpdateKeyDescription", (*Service).updateKeyDescription}

// UpdateKeyDescription changes what DescribeKey says a key is for.
func (s *Service) UpdateKeyDescription(c iam.Caller, in *UpdateKeyDescriptionRequest) error {
	return updateKeyDescription.do(s, c, in)
}

func (s *Service) updateKeyDescription(c *call, in *UpdateKeyDescriptionRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	if v.has != nil && !v.present("Description") {
		v.add("Value null at 'description' %s not be null", constraint)
	}
	v.optional("Description", in.Description, 0, 8192)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "UpdateKeyDescription", in.KeyId, notPending, access{})
	if err != nil {
		return nil, err
	}
	k.description = in.Description
	return &nothing{}, nil
}
