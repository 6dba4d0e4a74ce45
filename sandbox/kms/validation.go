package kms

import (
	"fmt"
	"regexp"
	"strings"
)

// A validation collects what is wrong with a request's members, in AWS's words, so that one answer
// names all of it.
type validation struct {
	problems []string
	has      func(member string) bool // as in call.has
	call     *call
}

func (v *validation) add(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// err returns the ValidationException, or nil.
func (v *validation) err() *Error {
	if len(v.problems) == 0 {
		return nil
	}
	plural := "s"
	if len(v.problems) == 1 {
		plural = ""
	}
	return refuse("ValidationException", "%d validation error%s detected: %s",
		len(v.problems), plural, strings.Join(v.problems, "; "))
}

const constraint = "failed to satisfy constraint: Member must"

// field is how error messages spell a member: camelCase.
func field(member string) string { return strings.ToLower(member[:1]) + member[1:] }

// required checks the length of a string that must be there.
func (v *validation) required(member, s string, most int) {
	if s == "" && !v.present(member) {
		v.add("Value null at '%s' %s not be null", field(member), constraint)
		return
	}
	v.length(member, s, 1, most)
}

// present reports whether the request had the member, empty or not.
func (v *validation) present(member string) bool { return v.has != nil && v.has(member) }

// optional checks the length of a string that may be absent.
func (v *validation) optional(member, s string, least, most int) {
	if s != "" || v.present(member) {
		v.length(member, s, least, most)
	}
}

func (v *validation) length(member, s string, least, most int) {
	switch n := len([]rune(s)); {
	case n < least:
		v.add("Value '%s' at '%s' %s have length greater than or equal to %d", s, field(member), constraint, least)
	case n > most:
		v.add("Value '%s' at '%s' %s have length less than or equal to %d", s, field(member), constraint, most)
	}
}

// blob checks the length of bytes that must be there. KMS leaves out their value: they may be secret.
func (v *validation) blob(member string, b []byte, most int) {
	switch {
	case b == nil:
		v.add("Value null at '%s' %s not be null", field(member), constraint)
	case len(b) == 0:
		v.add("Value at '%s' %s have length greater than or equal to 1", field(member), constraint)
	case len(b) > most:
		v.add("Value at '%s' %s have length less than or equal to %d", field(member), constraint, most)
	}
}

func (v *validation) between(member string, n *int32, least, most int32) {
	switch {
	case n == nil:
	case *n < least:
		v.add("Value '%d' at '%s' %s have value greater than or equal to %d", *n, field(member), constraint, least)
	case *n > most:
		v.add("Value '%d' at '%s' %s have value less than or equal to %d", *n, field(member), constraint, most)
	}
}

// enum checks a string that may be absent against the values of its type.
func (v *validation) enum(member, s string, values []string) {
	if s == "" && !v.present(member) {
		return
	}
	for _, one := range values {
		if s == one {
			return
		}
	}
	v.add("Value '%s' at '%s' %s satisfy enum value set: [%s]", s, field(member), constraint, strings.Join(values, ", "))
}

func (v *validation) pattern(member, s string, re *regexp.Regexp) {
	if s != "" && !re.MatchString(s) {
		v.add("Value '%s' at '%s' %s satisfy regular expression pattern: %s", s, field(member), constraint, re)
	}
}

// tokens checks grant tokens: at most ten, each of them with the length of one. The call keeps them,
// for authorize.
func (v *validation) tokens(tokens []string) {
	v.call.tokens = tokens
	if len(tokens) > 10 {
		v.add("Value '[%s]' at 'grantTokens' %s have length less than or equal to 10", strings.Join(tokens, ", "), constraint)
	}
	for i, t := range tokens {
		if len(t) < 1 || len(t) > 8192 {
			v.add("Value at 'grantTokens.%d.member' %s have length between 1 and 8192", i+1, constraint)
		}
	}
}

// The sets of values that members are checked against.
var (
	keyUsages = []string{"SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"}
	keySpecs  = []string{"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
		"ECC_SECG_P256K1", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44",
		"ML_DSA_65", "ML_DSA_87", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"}
	origins              = []string{"AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"}
	encryptionAlgorithms = []string{symmetric, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"}
	dataKeySpecs         = []string{"AES_256", "AES_128"}
	// name is the pattern of alias names and grant names.
	name = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)
)

// symmetric is the key spec, and the encryption algorithm, of symmetric keys.
const symmetric = "SYMMETRIC_DEFAULT"
