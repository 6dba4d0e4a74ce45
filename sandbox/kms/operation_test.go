package kms

import (
	"strings"
	"testing"
)

// TestSetsOfOperations: what is said of operations elsewhere is said of operations there are.
func TestSetsOfOperations(t *testing.T) {
	for _, set := range []map[string]bool{changes, uses} {
		for name := range set {
			if operations[name] == nil {
				t.Errorf("there is no %s", name)
			}
		}
	}
	for _, name := range AWSQuotas("eu-west-2").Names() {
		shared := strings.HasPrefix(name, "Cryptographic operations") || strings.HasPrefix(name, "GenerateDataKeyPair ")
		if operations[name] == nil && !shared {
			t.Errorf("the quota %s is of no operation", name)
		}
	}
	// The other way round: every operation has a quota, of its own or shared.
	q := AWSQuotas("eu-west-2")
	for name := range operations {
		if _, ok := q[name]; !ok && !uses[name] && name != "GenerateRandom" {
			t.Errorf("%s has no quota", name)
		}
	}
	for alias := range managedServices {
		if managedServices[alias].name == "" || managedServices[alias].things == "" {
			t.Errorf("%s has no name", alias)
		}
		if _, err := New(Options{}).DescribeKey(New(Options{}).Directory().Admin(), &DescribeKeyRequest{KeyId: reservedPrefix + alias}); err != nil {
			t.Errorf("the key of %s: %v", alias, err)
		}
	}
}
