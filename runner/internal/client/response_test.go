package client

import (
	"slices"
	"testing"
)

func TestResponseHeaders(t *testing.T) {
	r := Response{Head: []byte("Content-Type: text/plain\r\nSet-Cookie:a=1\r\nset-cookie: \tb=2 \r\nEmpty:\r\nno colon\r\nLast: x")}
	for name, want := range map[string][]string{
		"content-type": {"text/plain"}, "Set-Cookie": {"a=1", "b=2"}, "EMPTY": {""}, "last": {"x"}, "Absent": nil, "no colon": nil,
	} {
		var got []string
		for v := range r.Headers(name) {
			got = append(got, string(v))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		first, ok := r.Header(name)
		if ok != (want != nil) || ok && string(first) != want[0] {
			t.Errorf("%s: the first is %q, %v", name, first, ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { r.Header("Last") }); n != 0 {
		t.Errorf("Header: %v allocations, want 0", n)
	}
}
