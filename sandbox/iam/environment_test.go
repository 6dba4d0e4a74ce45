package iam

import (
	"testing"
	"time"
)

// A stopped clock always shows the same time.
type stopped time.Time

func (s stopped) Now() time.Time { return time.Time(s) }

func TestGlobalKeys(t *testing.T) {
	environment := Environment{Region: "eu-west-2", Clock: stopped(time.Date(2026, 11, 23, 12, 0, 0, 5e8, time.FixedZone("", 3600)))}
	from := func(address string) Caller { return alice.From(address, "aws-cli/2.9.19 Python/3.11") }
	chained := viaQLDB.From("10.1.2.3:5000", "aws-cli")
	chained.SourceARN = "arn:aws:qldb:eu-west-2:123456789012:ledger/x"
	root := Caller{Principal: RootARN(account), Account: account}
	tests := []struct {
		operator, key string
		values        any
		caller        Caller
		action        string // default kms:Decrypt
		want          bool
	}{
		{"IpAddress", "aws:SourceIp", "10.1.2.3", from("10.1.2.3:5000"), "", true},
		{"IpAddress", "aws:SourceIp", "10.1.2.3", from("10.1.2.3"), "", true},
		{"IpAddress", "aws:SourceIp", "10.1.2.4", from("10.1.2.3:5000"), "", false},
		{"IpAddress", "aws:SourceIp", "10.0.0.0/8", from("10.255.255.255:1"), "", true},
		{"IpAddress", "aws:SourceIp", "10.0.0.0/8", from("11.0.0.0:1"), "", false},
		{"IpAddress", "aws:SourceIp", "10.9.9.9/8", from("10.1.2.3:1"), "", true},
		{"IpAddress", "aws:SourceIp", "0.0.0.0/0", from("10.1.2.3:1"), "", true},
		{"IpAddress", "aws:SourceIp", []string{"192.0.2.0/24", "10.1.0.0/16"}, from("10.1.2.3:1"), "", true},
		{"IpAddress", "aws:SourceIp", "2001:db8::/32", from("[2001:db8::1]:1"), "", true},
		{"IpAddress", "aws:SourceIp", "2001:db8::/32", from("[2001:db9::1]:1"), "", false},
		{"IpAddress", "aws:SourceIp", "::/0", from("10.1.2.3:1"), "", false},
		{"IpAddress", "aws:SourceIp", "10.0.0.0/8", from("[::ffff:10.1.2.3]:1"), "", true},
		{"IpAddress", "aws:SourceIp", "fe80::/10", from("[fe80::1%eth0]:1"), "", true},
		{"IpAddress", "aws:SourceIp", "10.0.0.0/8", from("somewhere"), "", false},
		{"IpAddress", "aws:SourceIp", "0.0.0.0/0", alice, "", false},
		{"IpAddressIfExists", "aws:SourceIp", "192.0.2.0/24", alice, "", true},
		{"IpAddress", "aws:SourceIp", "0.0.0.0/0", chained, "", false},
		{"NotIpAddress", "aws:SourceIp", "10.0.0.0/8", from("11.0.0.1:1"), "", true},
		{"NotIpAddress", "aws:SourceIp", []string{"192.0.2.0/24", "10.0.0.0/8"}, from("10.0.0.1:1"), "", false},
		{"NotIpAddress", "aws:SourceIp", "10.0.0.0/8", chained, "", true},
		{"StringLike", "aws:UserAgent", "aws-cli/*", from("10.1.2.3:1"), "", true},
		{"StringLike", "aws:UserAgent", "*", chained, "", false},
		{"StringEquals", "aws:RequestedRegion", []string{"eu-west-1", "eu-west-2"}, alice, "", true},
		{"StringEquals", "aws:RequestedRegion", "us-east-1", alice, "", false},
		{"StringEquals", "aws:RequestedRegion", "us-east-1", alice, "iam:GetRole", true},
		{"Bool", "aws:SecureTransport", "true", alice, "", true},
		{"Bool", "aws:SecureTransport", false, alice, "", false},
		{"DateGreaterThan", "aws:CurrentTime", "2026-11-23T11:00:00Z", alice, "", true},
		{"DateLessThan", "aws:CurrentTime", "2026-11-23T11:00:00Z", alice, "", false},
		{"DateLessThan", "aws:CurrentTime", "2026-11-23T11:00:01Z", alice, "", true},
		{"NumericEquals", "aws:EpochTime", "1795431600", alice, "", true},
		{"DateEquals", "aws:EpochTime", "2026-11-23T11:00:00Z", alice, "", true},
		{"StringEquals", "aws:PrincipalAccount", account, alice, "", true},
		{"StringEquals", "aws:PrincipalAccount", account, foreign, "", false},
		{"StringEquals", "aws:PrincipalAccount", account, service, "", false},
		{"StringNotEquals", "aws:PrincipalAccount", account, service, "", true},
		{"ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/read*", session, "", true},
		{"StringEquals", "aws:PrincipalType", "AssumedRole", session, "", true},
		{"StringEquals", "aws:PrincipalType", "User", alice, "", true},
		{"StringEquals", "aws:PrincipalType", "Account", root, "", true},
		{"Null", "aws:PrincipalType", "true", service, "", true},
		{"StringEquals", "aws:PrincipalServiceName", "qldb.amazonaws.com", service, "", true},
		{"Null", "aws:PrincipalServiceName", "true", alice, "", true},
		{"ForAnyValue:StringEquals", "aws:CalledVia", "qldb.amazonaws.com", chained, "", true},
		{"StringEquals", "aws:CalledViaLast", "qldb.amazonaws.com", chained, "", true},
		{"ForAnyValue:StringEquals", "aws:CalledVia", "qldb.amazonaws.com", alice, "", false},
		{"Bool", "aws:ViaAWSService", "true", chained, "", true},
		{"StringEquals", "aws:SourceAccount", account, chained, "", true},
		{"Null", "aws:SourceAccount", "true", alice, "", true},
		{"Null", "aws:SourceVpce", "true", alice, "", true},
	}
	for _, tt := range tests {
		name := tt.operator + " " + tt.key
		p, err := ParsePolicy([]byte(statements(m{"Action": "*", "Condition": m{tt.operator: m{tt.key: tt.values}}})), Identity)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := &Request{Caller: tt.caller, Action: tt.action, Resource: key, Environment: environment}
		if r.Action == "" {
			r.Action = "kms:Decrypt"
		}
		if got := p.Evaluate(r) == Allow; got != tt.want {
			t.Errorf("%s with %v for %+v: %v, want %v", name, tt.values, tt.caller, got, tt.want)
		}
	}
	for _, key := range []string{"aws:CurrentTime", "aws:EpochTime", "aws:RequestedRegion"} {
		p, err := ParsePolicy([]byte(statements(m{"Condition": m{"Null": m{key: "true"}}})), Identity)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Evaluate(&Request{Caller: alice, Action: "kms:Decrypt", Resource: key}); got != Allow {
			t.Errorf("without an environment there is %s", key)
		}
	}
	for _, value := range []string{"", "10.0.0", "10.0.0.0/33", "localhost", "10.0.0.0/8/8", "fe80::1%eth0"} {
		for _, operator := range []string{"IpAddress", "NotIpAddressIfExists", "ForAnyValue:IpAddress"} {
			if _, err := ParsePolicy([]byte(statements(m{"Condition": m{operator: m{"aws:SourceIp": value}}})), Identity); err == nil {
				t.Errorf("%s with %q is accepted", operator, value)
			}
		}
	}
}
