package partiql

import (
	"math/big"
	"strconv"

	"loadkms/sandbox/ion"
)

func numbered(i int) string { return "_" + strconv.Itoa(i+1) }

// A total is an aggregate while rows are read. NULL and MISSING do not count.
type total struct {
	of    *aggregate
	count int64
	value ion.Value       // the sum, least or most so far
	seen  map[string]bool // for DISTINCT, by key
}

// totals finds the aggregates of a SELECT list. It is nil if there are none: a row for each row.
func (x *execution) totals(q *query) ([]*total, error) {
	var totals []*total
	for _, it := range q.items {
		walk(it.expr, func(e expr) {
			if a, ok := e.(*aggregate); ok {
				totals = append(totals, &total{of: a, seen: map[string]bool{}})
			}
		})
	}
	if totals == nil {
		return nil, nil
	}
	for _, it := range q.items {
		within := map[expr]bool{} // what stands inside an aggregate
		walk(it.expr, func(e expr) {
			if a, ok := e.(*aggregate); ok {
				walk(a.of, func(e expr) { within[e] = true })
			}
		})
		var problem error
		walk(it.expr, func(e expr) {
			switch e := e.(type) {
			case *path:
				if e.root == nil && !within[e] {
					problem = x.fail(e.offset, "'%s' must be inside an aggregate, because others of the SELECT list are", e.name)
				}
			case *aggregate:
				if within[e] {
					problem = x.fail(e.offset, "%s is inside another aggregate", e.name)
				}
			}
		})
		if problem != nil {
			return nil, problem
		}
	}
	return totals, nil
}

// total takes one row into account.
func (x *execution) total(t *total, sc *scope) error {
	if t.of.of == nil {
		t.count++
		return nil
	}
	d, err := x.eval(t.of.of, sc)
	if err != nil || d.unknown() {
		return err
	}
	if t.of.distinct {
		key := d.Key()
		if err := x.labor(len(key) / 8); err != nil {
			return err
		}
		if t.seen[key] {
			return nil
		}
		t.seen[key] = true
	}
	t.count++
	if t.count == 1 && t.of.name != "COUNT" {
		if t.of.name == "MIN" || t.of.name == "MAX" {
			t.value = d.Value
			return nil
		}
		t.value = ion.Int(0)
	}
	switch t.of.name {
	case "SUM", "AVG":
		sum, ok, err := calculate("+", t.value, d.Value)
		if err != nil {
			return x.fail(t.of.offset, "%s", err.Error())
		}
		if !ok {
			return x.fail(t.of.offset, "%s of what is not a number", t.of.name)
		}
		t.value = sum
	case "MIN", "MAX":
		if err := x.compared(d.Value, t.value); err != nil {
			return err
		}
		order, ok := ion.Compare(d.Value, t.value)
		if !ok {
			return x.fail(t.of.offset, "%s of values that have no order", t.of.name)
		}
		if order < 0 == (t.of.name == "MIN") && order != 0 {
			t.value = d.Value
		}
	}
	return nil
}

// result is what an aggregate comes to. Of no rows, all but COUNT are NULL.
func (x *execution) result(t *total) (datum, error) {
	switch {
	case t.of.name == "COUNT":
		return datum{Value: ion.Int(t.count)}, nil
	case t.count == 0:
		return null, nil
	case t.of.name != "AVG":
		return datum{Value: t.value}, nil
	}
	// A decimal, also of ints: AVG of 1 and 2 is 1.5.
	count := ion.Int(t.count)
	if n, ok := t.value.AsBigInt(); ok {
		v := rational{coefficient: n}.quotient(rational{coefficient: big.NewInt(t.count)}).value()
		return datum{Value: v}, nil
	}
	v, _, err := calculate("/", t.value, count)
	if err != nil {
		return null, x.fail(t.of.offset, "%s", err.Error())
	}
	return datum{Value: v}, nil
}
