//go:build !race

package answer

import (
	"testing"

	"loadkms/scenarios"
)

// TestAllocations keeps the hot path cheap.
func TestAllocations(t *testing.T) {
	const body = `{"id":"r-17","n":17,"record":{"firstName":"Ann","tags":["a","b"]}}`
	find := func(expr string) func(d *Document) bool {
		f, err := Compile(scenarios.Capture{Expr: fixed(expr), As: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return func(d *Document) bool { _, ok := f.Find(d, "", nil); return ok }
	}
	hold := func(e scenarios.Expect) func(d *Document) bool {
		x, err := CompileExpect(e)
		if err != nil {
			t.Fatal(err)
		}
		return func(d *Document) bool { return x.Holds(200, d, nil) }
	}
	both := func(a, b func(d *Document) bool) func(d *Document) bool {
		return func(d *Document) bool { return a(d) && b(d) }
	}
	property := hold(scenarios.Expect{Contains: []scenarios.Check{{Kind: scenarios.HasProperty, Name: "record.tags[1]"}}})
	tests := []struct {
		name string
		do   func(d *Document) bool
		most float64
	}{
		{"nothing expected", hold(scenarios.Expect{}), 0},
		{"status and JSON", hold(scenarios.Expect{Status: []int{200}, ContentType: "json"}), 0},
		{"property", property, 0},
		{"header and property that is not there", hold(scenarios.Expect{Contains: []scenarios.Check{
			{Kind: scenarios.HeaderEquals, Name: "X-A", Value: fixed("b")}, {Kind: scenarios.LacksProperty, Name: "x.y"}}}), 0},
		{"regexp", hold(scenarios.Expect{Contains: []scenarios.Check{{Kind: scenarios.MatchesRegexp, Value: fixed(`"r-\d+"`)}}}), 0},
		{"JSON text and property", both(find("$.id"), property), 2},
		{"JSON number and property", both(find("$.n"), property), 2},
		{"JSON deep down and property", both(find("$.record.tags[1]"), property), 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := document(body, "Content-Type: application/json", "X-A: b")
			response, kept := d.response, d.body
			got := testing.AllocsPerRun(1000, func() {
				d.Reset(response, kept)
				if !test.do(d) {
					t.Fatal("does not hold")
				}
			})
			if got > test.most {
				t.Errorf("%v allocations, want at most %v", got, test.most)
			}
		})
	}
}

func BenchmarkCaptureAndProperty(b *testing.B) {
	f, err := Compile(scenarios.Capture{Expr: fixed("$.id")})
	if err != nil {
		b.Fatal(err)
	}
	x, err := CompileExpect(scenarios.Expect{Contains: []scenarios.Check{{Kind: scenarios.HasProperty, Name: "record.tags[1]"}}})
	if err != nil {
		b.Fatal(err)
	}
	d := document(`{"id":"r-17","n":17,"record":{"firstName":"Ann","tags":["a","b"]}}`)
	response, body := d.response, d.body
	for b.Loop() {
		d.Reset(response, body)
		if _, ok := f.Find(d, "", nil); !ok || !x.Holds(200, d, nil) {
			b.Fatal("does not hold")
		}
	}
}
