package reporters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"loadkms/result"
)

// eon bounds every time in a run.json: ten years. A file with longer ones was not made by a run, and
// arithmetic on them could overflow.
const eon = 10 * 365 * 24 * time.Hour

// JSON writes run as run.json: result.Run as it is, one line per window, span and event, so that the
// file can be searched and compared by line and is still no larger than it must be.
func JSON(w io.Writer, run *result.Run) error {
	b, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("encode run: %w", err)
	}
	_, err = w.Write(unfold(b))
	return err
}

// unfold breaks compact JSON into lines: before every member of the outer value, and before every
// element of the arrays that are such members.
func unfold(b []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(b) + len(b)/64)
	var kinds []byte // the brackets we are in
	quoted := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case quoted && c == '\\':
			out.WriteByte(c)
			i++
			c = b[i]
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			kinds = append(kinds, c)
		case c == '}' || c == ']':
			if len(kinds) == 1 {
				out.WriteByte('\n')
			}
			kinds = kinds[:len(kinds)-1]
		}
		out.WriteByte(c)
		opened := !quoted && (c == '{' || c == '[')
		if (opened || !quoted && c == ',') && len(kinds) > 0 {
			empty := opened && i+1 < len(b) && (b[i+1] == '}' || b[i+1] == ']')
			if !empty && (len(kinds) == 1 || len(kinds) == 2 && kinds[1] == '[') {
				out.WriteByte('\n')
			}
		}
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// Read reads a run.json. It returns an error if r holds something else, or a run of another schema,
// or a run that contradicts itself so that reporters could not lay its parts side by side.
func Read(r io.Reader) (*result.Run, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errors.New("not a run.json: it is empty")
	}
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("not a run.json: %w", plainly(err, b))
	}
	switch {
	case head.Schema == nil:
		return nil, errors.New(`not a run.json: it has no "schema"`)
	case *head.Schema > result.Schema:
		return nil, fmt.Errorf("run.json has schema %d, this loadkms reads %d: a newer loadkms made it", *head.Schema, result.Schema)
	case *head.Schema != result.Schema:
		return nil, fmt.Errorf("run.json has schema %d, this loadkms reads %d", *head.Schema, result.Schema)
	}
	run := new(result.Run)
	if err := json.Unmarshal(b, run); err != nil {
		return nil, fmt.Errorf("not a run.json: %w", plainly(err, b))
	}
	if err := sound(run); err != nil {
		return nil, fmt.Errorf("run.json contradicts itself: %w", err)
	}
	return run, nil
}

// plainly says in the words of a file, not of Go, what encoding/json found.
func plainly(err error, b []byte) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		if int(syntax.Offset) >= len(bytes.TrimRight(b, " \r\n\t")) {
			return errors.New("it ends in the middle")
		}
		return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:max(0, min(int(syntax.Offset), len(b)))], []byte("\n")), err)
	case errors.As(err, &kind):
		if kind.Field == "" {
			return fmt.Errorf("it holds one JSON %s", kind.Value)
		}
		return fmt.Errorf("%s cannot be a JSON %s", kind.Field, kind.Value)
	}
	return err
}

// sound checks what every reporter relies on: indexes lead somewhere, windows are in order, and
// times are times.
func sound(run *result.Run) error {
	if err := bounded(reflect.ValueOf(run).Elem(), "run"); err != nil {
		return err
	}
	if run.Took < 0 {
		return errors.New("took is negative")
	}
	steps, faults := len(run.Steps), len(run.Faults)
	last := time.Duration(-1)
	for i, w := range run.Windows {
		if w.At <= last {
			return fmt.Errorf("windows[%d] does not begin after the one before it", i)
		}
		last = w.At
		if len(w.Steps) > steps {
			return fmt.Errorf("windows[%d] has %d steps, the run has %d", i, len(w.Steps), steps)
		}
	}
	for i, s := range run.Spans {
		if s.To < s.From || len(s.Steps) > steps || s.Moving < -1 || s.Moving >= faults {
			return fmt.Errorf("spans[%d] does not fit the run", i)
		}
		for _, f := range s.Active {
			if f < 0 || f >= faults {
				return fmt.Errorf("spans[%d] names fault %d of %d", i, f, faults)
			}
		}
	}
	for i, p := range run.Phases {
		for k, s := range p.Steps {
			if s.Step < 0 || s.Step >= steps {
				return fmt.Errorf("phases[%d].steps[%d] names step %d of %d", i, k, s.Step, steps)
			}
		}
	}
	for i, e := range run.Events {
		if e.Fault < -1 || e.Fault >= faults {
			return fmt.Errorf("events[%d] names fault %d of %d", i, e.Fault, faults)
		}
	}
	for i, f := range run.Faults {
		for j, a := range f.Steps {
			if a.Step < 0 || a.Step >= steps {
				return fmt.Errorf("faults[%d].steps[%d] names step %d of %d", i, j, a.Step, steps)
			}
		}
	}
	for i, c := range run.Verdict.Checks {
		if c.Fault < -1 || c.Fault >= faults {
			return fmt.Errorf("verdict.checks[%d] names fault %d of %d", i, c.Fault, faults)
		}
	}
	switch run.Verdict.Outcome {
	case result.Pass, result.Fail, result.Inconclusive:
	default:
		return fmt.Errorf("verdict.outcome is %q, not pass, fail or inconclusive", cleanTo(string(run.Verdict.Outcome), 40))
	}
	return nil
}

// bounded checks every time in v, which is called name.
func bounded(v reflect.Value, name string) error {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Type() == reflect.TypeFor[time.Duration]():
		if d := time.Duration(v.Int()); d < -eon || d > eon {
			return fmt.Errorf("%s is no time in a run: %d", name, d)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return bounded(v.Elem(), name)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if err := bounded(v.Field(i), name+"."+v.Type().Field(i).Name); err != nil {
				return err
			}
		}
	case v.Kind() == reflect.Map:
		for key, value := range v.Seq2() {
			if err := bounded(value, fmt.Sprintf("%s[%v]", name, key)); err != nil {
				return err
			}
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.String:
		for i := range v.Len() {
			if err := bounded(v.Index(i), fmt.Sprintf("%s[%d]", name, i)); err != nil {
				return err
			}
		}
	}
	return nil
}
