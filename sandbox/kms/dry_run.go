package kms

import (
	"slices"
	"strings"
)

const ignoreCiphertext = "IGNORE_CIPHERTEXT"

// modifiers checks DryRunModifiers, and reports whether they make the request's ciphertext, which may
// then be absent, not matter. There is but one modifier.
func (v *validation) modifiers(modifiers []string) bool {
	if slices.ContainsFunc(modifiers, func(m string) bool { return m != ignoreCiphertext }) {
		v.add("Value '[%s]' at 'dryRunModifiers' %s satisfy constraint: [Member must satisfy enum value set: [%s]]",
			strings.Join(modifiers, ", "), constraint, ignoreCiphertext)
	}
	return len(modifiers) > 0
}

// permitted answers a dry run without ciphertext: whether the caller could use the key, if there were
// one. Without the ciphertext, only the request can name the key.
func (s *Service) permitted(c *call, action, keyID string, dryRun bool, context map[string]string, algorithm string) *Error {
	if !dryRun {
		return refuse("ValidationException", "DryRunModifiers can only be specified when DryRun is true.")
	}
	if keyID == "" {
		return refuse("ValidationException", "A key must be specified when the ciphertext is ignored.")
	}
	u, err := s.sealing(c, action, keyID, access{context: context, algorithm: algorithm})
	if err != nil {
		return err
	}
	_, err = u.demandEncryption(strings.TrimSuffix(action, "From"), algorithm, context)
	return err
}
