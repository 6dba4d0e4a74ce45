package kms

import (
	"crypto/rand"

	"loadkms/sandbox/iam"
)

// A GenerateRandomRequest asks for random bytes.
type GenerateRandomRequest struct {
	NumberOfBytes    *int32     `json:",omitempty"` // 1 to 1024
	CustomKeyStoreId string     `json:",omitempty"` // the store whose cluster is to make them
	Recipient        *Recipient `json:",omitempty"` // not in the sandbox yet
}

// A GenerateRandomResponse holds the random bytes.
type GenerateRandomResponse struct{ Plaintext []byte }

var generateRandom = operation[GenerateRandomRequest, GenerateRandomResponse]{"GenerateRandom", (*Service).generateRandom}

// GenerateRandom makes random bytes, which no key has a part in.
func (s *Service) GenerateRandom(c iam.Caller, in *GenerateRandomRequest) (*GenerateRandomResponse, error) {
	return generateRandom.call(s, c, in)
}

func (s *Service) generateRandom(c *call, in *GenerateRandomRequest) (*GenerateRandomResponse, *Error) {
	v := c.validation()
	v.between("NumberOfBytes", in.NumberOfBytes, 1, 1024)
	v.optional("CustomKeyStoreId", in.CustomKeyStoreId, 1, 64)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.NumberOfBytes == nil {
		return nil, refuse("ValidationException", "NumberOfBytes is required.")
	}
	if in.Recipient != nil {
		return nil, errNotYet("Recipient")
	}
	if err := s.authorizeIdentity(c.caller, "GenerateRandom", "*"); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != "" {
		s.mu.RLock()
		_, err := s.connectedStore(in.CustomKeyStoreId)
		s.mu.RUnlock()
		if err != nil {
			return nil, err
		}
	}
	plain := make([]byte, *in.NumberOfBytes)
	rand.Read(plain) // never fails
	return &GenerateRandomResponse{plain}, nil
}
