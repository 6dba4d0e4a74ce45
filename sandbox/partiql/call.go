package partiql

import (
	"strings"
	"unicode/utf8"

	"loadkms/sandbox/ion"
)

// call computes a function. QLDB's functions give NULL if an argument is NULL or MISSING, but for those that
// are about just that, and CAST. Where an argument is of another type than the function takes, the result is
// MISSING, as that of operators is.
func (x *execution) call(e *call, sc *scope) (datum, error) {
	args := make([]datum, len(e.args))
	for i, a := range e.args {
		var err error
		if args[i], err = x.eval(a, sc); err != nil {
			return null, err
		}
		if e.name == "COALESCE" && !args[i].unknown() {
			return args[i], nil
		}
	}
	switch e.name {
	case "COALESCE":
		return null, nil
	case "EXISTS":
		return truth(args[0].Len() > 0), nil
	case "NULLIF":
		if args[0].missing || !args[0].unknown() && !args[1].unknown() && ion.Equal(args[0].Value, args[1].Value) {
			return null, nil
		}
		return args[0], nil
	case "CAST":
		return x.cast(e, args[0])
	case "TXID":
		return datum{Value: ion.String(x.db.TransactionID())}, nil
	case "UTCNOW":
		if x.now.IsNull() { // the same for all rows
			x.now = ion.Timestamp(x.db.Now())
		}
		return datum{Value: x.now}, nil
	}
	for _, a := range args {
		if a.unknown() {
			return null, nil
		}
	}
	switch e.name {
	case "SIZE":
		switch args[0].Kind() {
		case ion.KindList, ion.KindSexp, ion.KindStruct:
			return datum{Value: ion.Int(int64(args[0].Len()))}, nil
		}
		return nowhere, nil
	case "DATE_ADD", "DATE_DIFF", "EXTRACT", "TO_STRING", "TO_TIMESTAMP":
		return x.date(e, args)
	}
	return x.text(e, args)
}

func (x *execution) cast(e *call, of datum) (datum, error) {
	to := castTypes[e.word]
	switch {
	case to == "NULL" && of.unknown():
		return null, nil
	case to == "MISSING" && of.unknown():
		return nowhere, nil
	case of.missing, of.IsNull():
		return of, nil
	}
	v, ok := cast(of.Value, to)
	if !ok {
		return null, x.fail(e.offset, "A value of type %s cannot be cast to %s", of.Kind(), e.word)
	}
	size, _ := v.Size(deepResult)
	return datum{Value: v}, x.labor(size / 8)
}

// date computes a function of timestamps.
func (x *execution) date(e *call, args []datum) (datum, error) {
	if e.name == "TO_TIMESTAMP" {
		text, isText := args[0].AsText()
		if !isText {
			return nowhere, nil
		}
		v, err := ion.ParseTimestamp(text)
		if len(args) > 1 {
			var pattern format
			if pattern, err = x.format(args[1]); pattern == nil && err == nil {
				return nowhere, nil
			}
			if err == nil {
				v, err = pattern.read(text)
			}
		}
		if err != nil {
			return null, x.fail(e.offset, "TO_TIMESTAMP: %s", err.Error())
		}
		return datum{Value: v}, nil
	}
	last := args[len(args)-1]
	if e.name == "TO_STRING" {
		last = args[0]
	}
	m, ok := last.AsMoment()
	if !ok {
		return nowhere, nil
	}
	switch e.name {
	case "EXTRACT":
		return datum{Value: ion.Int(extract(e.word, m.Time))}, nil
	case "DATE_DIFF":
		from, ok := args[0].AsMoment()
		if !ok {
			return nowhere, nil
		}
		return datum{Value: ion.Int(dateDiff(e.word, from.Time, m.Time))}, nil
	case "DATE_ADD":
		n, ok := args[0].AsInt()
		if !ok {
			return nowhere, nil
		}
		v, err := dateAdd(e.word, n, m)
		if err != nil {
			return null, x.fail(e.offset, "DATE_ADD: %s", err.Error())
		}
		return datum{Value: v}, nil
	}
	pattern, err := x.format(args[1]) // TO_STRING
	if err != nil {
		return null, x.fail(e.offset, "TO_STRING: %s", err.Error())
	}
	if pattern == nil {
		return nowhere, nil
	}
	return datum{Value: ion.String(pattern.write(m.Time))}, x.spend(1)
}

// format reads a format. Of what is no text it is nil.
func (x *execution) format(d datum) (format, error) {
	text, ok := d.AsText()
	if !ok {
		return nil, nil
	}
	if err := x.labor(len(text)); err != nil {
		return nil, err
	}
	f, err := parseFormat(text)
	if f == nil && err == nil {
		f = format{}
	}
	return f, err
}

// text computes a function of a text, which for TRIM with characters is the second argument.
func (x *execution) text(e *call, args []datum) (datum, error) {
	text, ok := args[len(args)-1].AsText()
	if e.name != "TRIM" {
		text, ok = args[0].AsText()
	}
	if !ok {
		return nowhere, nil
	}
	if err := x.spend(len(text) / 64); err != nil {
		return null, err
	}
	switch e.name {
	case "LOWER":
		return datum{Value: ion.String(strings.ToLower(text))}, nil
	case "UPPER":
		return datum{Value: ion.String(strings.ToUpper(text))}, nil
	case "TRIM":
		set := " "
		if len(args) > 1 {
			if set, ok = args[0].AsText(); !ok {
				return nowhere, nil
			}
		}
		if err := x.spend(len(text) * len(set) / 1000); err != nil {
			return null, err
		}
		return datum{Value: ion.String(trims[e.word](text, set))}, nil
	case "SUBSTRING":
		return substring(text, args[1:]), nil
	}
	return datum{Value: ion.Int(int64(utf8.RuneCountInString(text)))}, nil // CHAR_LENGTH, CHARACTER_LENGTH
}

// trims are TRIM's sides.
var trims = map[string]func(text, set string) string{
	"": strings.Trim, "BOTH": strings.Trim, "LEADING": strings.TrimLeft, "TRAILING": strings.TrimRight,
}

// substring counts from 1, as SQL does: what would lie before the first character takes from the length.
func substring(text string, args []datum) datum {
	r := []rune(text)
	last := int64(len(r)) + 1
	start, ok := args[0].AsInt()
	if !ok {
		return nowhere
	}
	end := last
	if len(args) > 1 {
		length, ok := args[1].AsInt()
		if !ok || length < 0 {
			return nowhere
		}
		if start <= last && length < last-max(start, -last) { // otherwise it reaches the end
			end = max(start, -last) + length
		}
	}
	start, end = min(max(start, 1), last), min(max(end, 1), last)
	return datum{Value: ion.String(string(r[start-1 : max(start, end)-1]))}
}
