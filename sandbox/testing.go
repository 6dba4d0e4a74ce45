package sandbox

import "context"

// TB is the part of testing.TB that RunT needs, so that importing this package does not import
// testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(string, ...any)
}

// RunT starts a sandbox that is closed when the test ends.
func RunT(tb TB, o Options) *Sandbox {
	tb.Helper()
	s, err := Start(context.Background(), o)
	if err != nil {
		tb.Fatalf("start the sandbox: %v", err)
		return nil
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("close the sandbox: %v", err)
		}
	})
	return s
}
