#!/usr/bin/env bash
# Breaks the restore logic, one way at a time; a test must notice every one. Works on a copy, so that
# nothing is left behind whatever interrupts it. Exit 1 if a mutant survives.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp go.mod go.sum "$copy"
mkdir "$copy/faults"
cp faults/*.go "$copy/faults"
cd "$copy"
go test -count=1 ./faults >/dev/null || { echo "the tests fail without any mutant"; exit 1; }
survivors=0

# mutant FILE OLD NEW NAME
mutant() {
  cp "$1" ok
  python3 - "$@" <<'P'
import sys
path, old, new, name = sys.argv[1:]
text = open(path).read()
assert text.count(old) >= 1, f"{name}: not in {path}: {old}"
open(path, "w").write(text.replace(old, new, 1))
P
  if ! go vet ./faults >/dev/null 2>&1; then echo "BROKEN    $4"; survivors=$((survivors + 1))
  elif go test -count=1 -timeout 60s ./faults >/dev/null 2>&1; then echo "SURVIVED  $4"; survivors=$((survivors + 1))
  else echo "killed    $4"; fi
  mv ok "$1"
}

F=faults/faults.go
mutant $F 'if err := t.Break(ctx); err != nil {' 'if err := t.Break(ctx); err != nil {
		_ = p.journal.Close(t.ID())' 'an error from Break taken to mean that nothing was broken'
mutant $F 'if err := p.journal.Open(e); err != nil {' '_ = p.target.Break(ctx)
	if err := p.journal.Open(e); err != nil {' 'broken before the journal entry is durable'
mutant $F '			sleep(ctx, p.settle)
' '' 'no settle time'
mutant $F 'p.restore(context.WithoutCancel(ctx), prior)' 'p.restore(ctx, prior)' "restored under the run's own context"
mutant faults/recover.go 'for i := len(pending) - 1; i >= 0; i--' 'for i := len(pending) - 2; i >= 0; i--' 'Recover forgets one entry'
mutant $F 'case !bytes.Equal(now, prior):
		return false, errNotBack' 'case false:
		return false, errNotBack' 'restored taken from the answer, not from looking'
mutant $F 'if errors.Is(err, ErrChanged) || drifts' 'if drifts' 'goes on against a third party'
mutant $F 'if err := p.rehearse(ctx, prior); err != nil {' 'if err := p.rehearse(ctx, prior); err != nil && ctx == nil {' 'goes in without a way back'
mutant $F '		if r := <-ended; r != nil {
			panic(r)
		}
' '' 'restores while the watch still looks'
mutant $F 'return nil, errors.Join(fmt.Errorf("break %s: %w", id, err), p.forget())' 'return prior, nil' 'breaks although canceled'
mutant $F '} else if slices.ContainsFunc(pending' '} else if false && slices.ContainsFunc(pending' 'takes a broken state for the prior one'
mutant faults/journal.go 'if err != nil || len(open) > 0 || size == 0 {' 'if err != nil || len(open) > 9 || size == 0 {' 'compacts away an open entry'
mutant faults/journal.go '[]byte("\n"), b...' '[]byte(""), b...' 'appends to a torn line'
mutant faults/guard.go 'syscall.SIGTERM, syscall.SIGPIPE)' 'syscall.SIGTERM)' 'the guard dies of a broken pipe'
mutant faults/guard_unix.go 'Setsid: true' 'Setsid: false' 'the guard dies with the process group'
mutant faults/guard.go 'if !kept.is(name) {' 'if false {' 'the guard loses a journal that was moved away'
mutant faults/guard.go "; s != onGuard {" "; s == done {" 'breaks under a guard that is not there'
mutant faults/journal.go 'if !j.is(filepath.Join(j.dir, journalFile)) {' 'if false {' 'promises in a file that nobody will find'
mutant faults/journal.go 'if pending, _, perr := j.pending(); perr != nil || len(pending) == 0 {' 'if true {' 'does not restore on a full disk'
mutant $F 'if _, is := t.(OneWay); is {' 'if false {' 'restores what is one-way'
mutant $F '	if err == nil {
		err = ctx.Err()
	}
' '' 'breaks what is one-way although canceled'
mutant $F '		p.notify(Refused, err)
		return err
	}
	p.notify(Observed, nil)
	p.notify(Breaking, nil)' '		p.notify(Refused, err)
	}
	p.notify(Observed, nil)
	p.notify(Breaking, nil)' 'breaks what is one-way although it cannot be observed'
mutant $F 'case p.underWay(now, prior) == 0 || time.Now().After(until):' 'case p.underWay(now, prior) >= 0 || time.Now().After(until):' 'is not patient with the rehearsal of a slow target'
mutant $F '		e.Embedded = false
' '' 'forgets with the sandbox what is outside of it'
mutant faults/target.go 'needs(a, b) || needs(b, a)' 'needs(a, b)' 'lets a fault begin while another needs its target'
exit $((survivors > 0))
