package iam

import (
	"strings"
	"testing"
)

func TestIssuedKeys(t *testing.T) {
	d := NewDirectory(account)
	seen := map[string]bool{}
	for range 100 {
		key := d.Issue(session)
		if len(key) != 20 || !strings.HasPrefix(key, "ASIA") || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" || seen[key] {
			t.Fatalf("%q is no new access key", key)
		}
		seen[key] = true
		if got := d.Caller(key); got != session || d.Withdrawn(key) {
			t.Errorf("an issued key calls as %+v, want %+v", got, session)
		}
		d.Withdraw(key)
		if got := d.Caller(key); got != (Caller{}) || !d.Withdrawn(key) {
			t.Errorf("a withdrawn key calls as %+v, want nobody", got)
		}
	}
	another := NewDirectory(account).Issue(session)
	for _, key := range []string{"", "AKIA", "ASIA", "ASIAAAAAAAAAAAAAAAAA", strings.Repeat("A", 20), another} {
		if got := d.Caller(key); got != d.Admin() || d.Withdrawn(key) {
			t.Errorf("%q calls as %+v, want the administrator", key, got)
		}
	}
	if d.Withdrawn(NoKMSKey) || d.Caller(NoKMSKey).Principal == d.Admin().Principal {
		t.Error("a built-in key is not its role's")
	}
}
