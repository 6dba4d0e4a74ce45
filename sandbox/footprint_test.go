package sandbox

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkFootprint tells what a record takes in memory beyond its content when there are a million of
// them. One round of it is all it takes.
func BenchmarkFootprint(b *testing.B) {
	const records = 1_000_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		s, err := Start(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		session, err := s.Ledgers().StartSession(b.Context(), s.KMS().Directory().Admin(), s.Ledger())
		if err != nil {
			b.Fatal(err)
		}
		before, content := heap(), 0
		for i := range records {
			doc := fmt.Appendf(nil, `{"id":%d,"firstName":"Ada","lastName":"Lovelace","email":"ada%[1]d@example.com"}`, i)
			content += len(doc)
			if err := session.Insert(b.Context(), tableName, doc); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(int64(heap()-before)-int64(content))/records, "B/record")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
