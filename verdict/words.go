package verdict

import (
	"fmt"
	"math"
	"strings"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// human writes d as people say it: two digits at least, and no more than they care for.
func human(d time.Duration) string {
	switch abs := d.Abs(); {
	case d == 0:
		return "0 s"
	case abs < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Round(time.Microsecond).Microseconds())
	case abs < 10*time.Millisecond:
		return trim(float64(d)/1e6, 1) + " ms"
	case abs < time.Second:
		return trim(float64(d)/1e6, 0) + " ms"
	case abs < 100*time.Second:
		return trim(float64(d)/1e9, 1) + " s"
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
}

// beside writes d so that it can be told from the limit it stands beside.
func beside(d, limit time.Duration) string {
	if got := human(d); d == limit || got != human(limit) {
		return got
	}
	if d.Round(time.Millisecond) != limit.Round(time.Millisecond) {
		return trim(float64(d)/1e9, 3) + " s"
	}
	return d.String()
}

// percent writes a share. It rounds towards zero, so that only what is complete reads 100%.
func percent(share float64) string {
	// The addend undoes the binary rounding of shares like 0.999.
	return trim(math.Floor(share*1e5+1e-6)/1e3, 3) + "%"
}

// trim writes x with at most so many decimals, without idle zeros.
func trim(x float64, decimals int) string {
	s := fmt.Sprintf("%.*f", decimals, x)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// count writes n things.
func count(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// were says that n things were.
func were(n uint64, thing string) string {
	if n == 1 {
		return count(n, thing) + " was"
	}
	return count(n, thing) + " were"
}

// where writes a place in a script; "" if the script was not made from a file.
func where(p scenarios.Pos) string {
	if p.File == "" {
		return ""
	}
	return p.String()
}

// stepLabel names a step as people do: by its scenario, if that is all it has.
func stepLabel(run *result.Run, step int) string {
	s, alone := run.Steps[step], true
	for i, other := range run.Steps {
		alone = alone && (i == step || other.Scenario != s.Scenario)
	}
	switch {
	case s.Scenario == "":
		return s.Name
	case alone:
		return s.Scenario
	}
	return s.Scenario + ": " + s.Name
}

// happenings say in sentences what an action does, and how it is undone.
var happenings = map[scenarios.Action]struct{ subject, broken, restored string }{
	scenarios.RotateAlias:     {"the alias", "was moved", "was moved back"},
	scenarios.UpdateLedgerKey: {"the ledger's key", "was changed", "was changed back"},
	scenarios.DenyKey:         {"the key", "was denied", "was allowed again"},

	scenarios.RevokeGrant:         {"the grant", "was revoked", "was made again"},
	scenarios.RotateKey:           {"the key", "was rotated", "was rotated"},
	scenarios.DeleteKeyMaterial:   {"the key's material", "was deleted", "was imported again"},
	scenarios.DisconnectKeyStore:  {"the key store", "was disconnected", "was connected again"},
	scenarios.ScheduleKeyDeletion: {"the key", "was scheduled for deletion", "was taken back"},

	scenarios.DisableKey: {"the key", "was disabled", "was enabled again"},
}

// broke says that f was injected, and restored that it was undone, as clauses.
func broke(f result.Fault) string {
	if h, ok := happenings[scenarios.Action(f.Action)]; ok {
		return h.subject + " " + h.broken
	}
	return fmt.Sprintf("%q was injected", f.Name)
}

func restored(f result.Fault) string {
	if h, ok := happenings[scenarios.Action(f.Action)]; ok {
		return h.subject + " " + h.restored
	}
	return fmt.Sprintf("%q was restored", f.Name)
}

// itWas is restored in a sentence that has already said what.
func itWas(f result.Fault) string {
	if h, ok := happenings[scenarios.Action(f.Action)]; ok {
		return "it " + h.restored
	}
	return "it was restored"
}

// relative says when a scope was.
func relative(f result.Fault, name scenarios.Scope) string {
	switch name {
	case scenarios.Before:
		return "before " + broke(f)
	case scenarios.After:
		return "after " + restored(f)
	}
	return "after " + broke(f)
}

// fared says how users fared whose requests ended in class.
func fared(c result.Class) string {
	if answered(c) {
		return fmt.Sprintf("refused (%s)", c)
	}
	return fmt.Sprintf("not served (%s)", c)
}

// breakdown lists the classes other than OK that were counted, most frequent first.
func breakdown(c result.Counts) string {
	var parts []string
	for {
		worst, any := c.Worst()
		if !any {
			return strings.Join(parts, ", ")
		}
		parts = append(parts, fmt.Sprintf("%d %s", c[worst], worst))
		c[worst] = 0
	}
}

// story tells in one sentence what a fault did to the users of one step.
func story(run *result.Run, f result.Fault, a result.Anatomy) string {
	step := stepLabel(run, a.Step)
	var b strings.Builder
	switch {
	case a.FirstEffect == result.Never && a.Waiting > 0:
		return fmt.Sprintf("users of %s were let down when %s: %d requests were served while it lasted, but at least %d got no answer "+
			"before it was over, and failed then (%s)", step, broke(f), a.Requests, a.Waiting, a.Class)
	case a.FirstEffect == result.Never && a.TimeToRecover == 0:
		return fmt.Sprintf("users of %s noticed nothing when %s: all %d requests were served while it lasted",
			step, broke(f), a.Requests)
	case a.FirstEffect == result.Never:
		head := fmt.Sprintf("users of %s were served while the fault lasted, but not ", step)
		if a.Recovered == result.Never {
			return head + "reliably after " + restored(f)
		}
		return head + fmt.Sprintf("all of them in the first %s after %s", human(a.TimeToRecover), restored(f))
	case a.FullEffect == result.Never:
		fmt.Fprintf(&b, "some users of %s (%d of %d requests) were %s from %s after %s",
			step, a.Failed, a.Requests, fared(a.Class), human(a.Grace), broke(f))
	default:
		fmt.Fprintf(&b, "users of %s were %s from %s after %s", step, fared(a.Class), human(a.Grace), broke(f))
		if full := human(a.Grace + a.FullEffect - a.FirstEffect); full != human(a.Grace) {
			fmt.Fprintf(&b, " (all of them from %s on)", full)
		}
	}
	switch {
	case f.OneWay:
	case f.Restored == result.Never:
		b.WriteString("; it was never restored")
	case a.Recovered != result.Never && a.TimeToRecover == 0:
		fmt.Fprintf(&b, ", and served again by the time %s", itWas(f))
	case a.Recovered != result.Never:
		fmt.Fprintf(&b, " until %s after %s", human(a.TimeToRecover), itWas(f))
	case a.Afterwards == 0:
		fmt.Fprintf(&b, "; nobody asked after %s", itWas(f))
	default:
		fmt.Fprintf(&b, ", and were not reliably served again after %s", itWas(f))
	}
	return b.String()
}
