package partiql

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"loadkms/sandbox/ion"
)

// TestFunctions has the examples of QLDB's function reference, and what they leave open. A want that begins
// with "!" is an error.
func TestFunctions(t *testing.T) {
	tests := []struct{ call, want string }{
		{"CAST(null AS null)", "null"}, {"CAST(missing AS null)", "null"}, {"CAST(missing AS missing)", ""}, {"CAST(null AS missing)", ""},
		{"CAST(null AS boolean)", "null"}, {"CAST(missing AS boolean)", ""},
		{"CAST(true AS null)", "!A value of type bool cannot be cast to NULL"}, {"CAST(1 AS missing)", "!type int cannot be cast to MISSING"},

		{"CAST(true AS boolean)", "true"}, {"CAST(0 AS boolean)", "false"}, {"CAST(1 AS BOOL)", "true"}, {"CAST(`1e0` AS boolean)", "true"},
		{"CAST(`-0e0` AS boolean)", "false"}, {"CAST(`1d0` AS boolean)", "true"}, {"CAST(`0.00` AS boolean)", "false"}, {"CAST('a' AS boolean)", "false"},
		{"CAST('true' AS boolean)", "true"}, {"CAST(`'true'` AS boolean)", "true"}, {"CAST(`'false'` AS boolean)", "false"}, {"CAST('True' AS boolean)", "true"},
		{"CAST([] AS boolean)", "!type list cannot be cast to BOOLEAN"}, {"CAST(`2007T` AS boolean)", "!timestamp"},

		{"CAST(true AS integer)", "1"}, {"CAST(false AS integer)", "0"}, {"CAST(1 AS INT)", "1"}, {"CAST(`1d0` AS integer)", "1"}, {"CAST(`1d3` AS integer)", "1000"},
		{"CAST(1.00 AS integer)", "1"}, {"CAST(-1.99 AS integer)", "-1"}, {"CAST(`1.9e0` AS integer)", "1"}, {"CAST(`1e20` AS integer)", "100000000000000000000"},
		{"CAST('12' AS integer)", "12"}, {"CAST('-012' AS integer)", "-12"}, {"CAST('aa' AS integer)", "!type string cannot be cast to INTEGER"},
		{"CAST('1.5' AS integer)", "!string"}, {"CAST('1_0' AS integer)", "!string"}, {"CAST('' AS integer)", "!string"}, {"CAST(`'22'` AS integer)", "22"}, {"CAST(`'x'` AS integer)", "!symbol"},
		{"CAST(`nan` AS integer)", "!float"}, {"CAST(`-inf` AS integer)", "!float"}, {"CAST(`1d2000` AS integer)", "!decimal"}, {"CAST(`{{}}` AS integer)", "!blob"},

		{"CAST(true AS float)", "1e+0"}, {"CAST(false AS float)", "0e+0"}, {"CAST(1 AS float)", "1e+0"}, {"CAST(`1d3` AS float)", "1e+3"}, {"CAST(1.00 AS REAL)", "1e+0"},
		{"CAST('12' AS float)", "1.2e+1"}, {"CAST('-.5e1' AS float)", "-5e+0"}, {"CAST('aa' AS float)", "!string"}, {"CAST('0x10' AS float)", "!string"}, {"CAST('inf' AS float)", "!string"},
		{"CAST('1e999' AS float)", "!string"}, {"CAST(`'22'` AS float)", "2.2e+1"}, {"CAST(`2007T` AS float)", "!timestamp"},

		{"CAST(true AS decimal)", "1."}, {"CAST(1 AS decimal)", "1."}, {"CAST(`1d3` AS decimal)", "1d3"}, {"CAST(1.00 AS NUMERIC)", "1.00"}, {"CAST('12' AS decimal)", "12."},
		{"CAST('-1.50' AS decimal)", "-1.50"}, {"CAST('+2' AS decimal)", "2."}, {"CAST(`0.1e0` AS decimal)", "1d-1"}, {"CAST('aa' AS decimal)", "!string"}, {"CAST('1e2000' AS decimal)", "!string"},
		{"CAST('-' AS decimal)", "!string"}, {"CAST('.' AS decimal)", "!string"}, {"CAST(`+inf` AS decimal)", "!float"}, {"CAST({} AS decimal)", "!struct"},

		{"CAST(`2001T` AS timestamp)", "2001T"}, {"CAST('2001-01-01T' AS timestamp)", "2001-01-01T"}, {"CAST(`'2010-01-01T00:00:00.000Z'` AS timestamp)", "2010-01-01T00:00:00.000Z"},
		{"CAST(true AS timestamp)", "!bool"}, {"CAST(2001 AS timestamp)", "!int"}, {"CAST('2001' AS timestamp)", "!string"},

		{"CAST(`'xx'` AS symbol)", "xx"}, {"CAST('xx' AS symbol)", "xx"}, {"CAST(42 AS symbol)", "'42'"}, {"CAST(`1d0` AS symbol)", "'1'"}, {"CAST(true AS symbol)", "'true'"},
		{"CAST(`2001T` AS symbol)", "'2001T'"}, {"CAST(`2001-01-01T00:00:00.000Z` AS symbol)", "'2001-01-01T00:00:00.000Z'"}, {"CAST([1] AS symbol)", "!list"},
		{"CAST(`'xx'` AS string)", `"xx"`}, {"CAST('xx' AS VARCHAR)", `"xx"`}, {"CAST(42 AS string)", `"42"`}, {"CAST(`1d0` AS string)", `"1"`}, {"CAST(false AS string)", `"false"`},
		{"CAST(`a::2001T` AS string)", `"2001T"`}, {"CAST(-1.50 AS string)", `"-1.50"`}, {"CAST(`1d3` AS string)", `"1E+3"`}, {"CAST(`12d-9` AS string)", `"1.2E-8"`},
		{"CAST(0.00001 AS string)", `"0.00001"`}, {"CAST(`1e0` AS string)", `"1.0"`}, {"CAST(`1e7` AS string)", `"1.0E7"`}, {"CAST(`-1.25e-4` AS string)", `"-1.25E-4"`},
		{"CAST(`0e0` AS string)", `"0.0"`}, {"CAST(`nan` AS string)", `"NaN"`}, {"CAST(`+inf` AS string)", `"Infinity"`}, {"CAST(`-inf` AS string)", `"-Infinity"`},
		{"CAST(`{{aGk=}}` AS string)", "!blob"},

		{"CAST(`{ a: 1 }` AS struct)", "{a:1}"}, {"CAST(true AS struct)", "!bool"}, {"CAST(`[1, 2, 3]` AS list)", "[1,2,3]"}, {"CAST(<<'a', { 'b':2 }>> AS list)", `["a",{b:2}]`},
		{"CAST(`(a 1)` AS list)", "[a,1]"}, {"CAST({ 'b':2 } AS list)", "!struct"}, {"CAST(`(a 1)` AS sexp)", "(a 1)"}, {"CAST([1] AS sexp)", "!list"},
		{"CAST(`{{aGk=}}` AS blob)", "{{aGk=}}"}, {"CAST(`{{\"hi\"}}` AS blob)", "{{aGk=}}"}, {"CAST('hi' AS blob)", "!string"}, {"CAST(`{{\"hi\"}}` AS clob)", `{{"hi"}}`},

		{"CHAR_LENGTH('')", "0"}, {"CHAR_LENGTH('abcdefg')", "7"}, {"CHAR_LENGTH('eࠫ')", "2"}, {"CHARACTER_LENGTH('😁😞😸😸')", "4"}, {"CHAR_LENGTH(null)", "null"}, {"CHAR_LENGTH(missing)", "null"},
		{"COALESCE(missing)", "null"}, {"COALESCE(null, null, 1)", "1"}, {"NULLIF(1.0, 1)", "null"}, {"NULLIF(1, '1')", "1"}, {"NULLIF([1], [1])", "null"}, {"NULLIF(1, NULL)", "1"},
		{"NULLIF(missing, missing)", "null"}, {"NULLIF(missing, null)", "null"}, {"SIZE(`{foo: bar}`)", "1"}, {"SIZE(<<'foo', 'bar'>>)", "2"}, {"SIZE(12)", ""}, {"LOWER(1)", ""},
		{"EXISTS(`[]`)", "false"}, {"EXISTS(`(+ 1 2)`)", "true"},

		{"DATE_ADD(year, 5, `2010-01-01T`)", "2015-01-01T"}, {"DATE_ADD(month, 1, `2010T`)", "2010-02T"}, {"DATE_ADD(month, 13, `2010T`)", "2011-02T"},
		{"DATE_ADD(day, -1, `2017-01-10T`)", "2017-01-09T"}, {"DATE_ADD(hour, 1, `2017T`)", "2017-01-01T01:00Z"}, {"DATE_ADD(hour, 1, `2017-01-02T03:04Z`)", "2017-01-02T04:04Z"},
		{"DATE_ADD(minute, 1, `2017-01-02T03:04:05.006Z`)", "2017-01-02T03:05:05.006Z"}, {"DATE_ADD(second, 1, `2017-01-02T03:04:05.006Z`)", "2017-01-02T03:04:06.006Z"},
		{"DATE_ADD(month, 1, `2016-01-31T`)", "2016-02-29T"}, {"DATE_ADD(year, -1, `2016-02-29T`)", "2015-02-28T"}, {"DATE_ADD(month, -14, `2016-01-31T10:00+02:00`)", "2014-11-30T10:00+02:00"},
		{"DATE_ADD(second, 10000000000, `2000T`)", "2316-11-20T17:46:40Z"}, {"DATE_ADD(hour, 23, `2017-01-02T03:04-00:00`)", "2017-01-03T02:04-00:00"},
		{"DATE_ADD(year, 9000, `2017T`)", "!DATE_ADD: The result is not within the years 1 to 9999"}, {"DATE_ADD(day, 9223372036854775807, `2017T`)", "!within the years"},
		{"DATE_ADD(day, 1.5, `2017T`)", ""}, {"DATE_ADD(day, 1, 'x')", ""}, {"DATE_ADD(day, null, `2017T`)", "null"}, {"DATE_ADD(day, 1, missing)", "null"},

		{"DATE_DIFF(year, `2010-01-01T`, `2011-01-01T`)", "1"}, {"DATE_DIFF(year, `2010-12T`, `2011-01T`)", "0"}, {"DATE_DIFF(month, `2010T`, `2010-05T`)", "4"}, {"DATE_DIFF(month, `2010T`, `2011T`)", "12"},
		{"DATE_DIFF(month, `2011T`, `2010T`)", "-12"}, {"DATE_DIFF(month, `2010-12-31T`, `2011-01-01T`)", "0"}, {"DATE_DIFF(day, `2010-01-01T23:00Z`, `2010-01-02T01:00Z`)", "0"},
		{"DATE_DIFF(day, `2010-01-02T23:00Z`, `2010-01-01T01:00Z`)", "-1"}, {"DATE_DIFF(hour, `2010-01-01T00:00Z`, `2010-01-01T02:59+01:00`)", "1"}, {"DATE_DIFF(minute, `2010-01-01T00:00:00.5Z`, `2010-01-01T00:01:00.4Z`)", "0"},
		{"DATE_DIFF(second, `2010-01-01T00:00:00.5Z`, `2010-01-01T00:00:01.4Z`)", "0"}, {"DATE_DIFF(second, `2010-01-01T00:00:01.4Z`, `2010-01-01T00:00:00.5Z`)", "0"}, {"DATE_DIFF(second, `0001T`, `9999T`)", "315506361600"},
		{"DATE_DIFF(month, `2016-01-31T`, `2016-02-29T`)", "0"}, {"DATE_DIFF(month, `2016-02-29T`, `2016-01-31T`)", "0"}, {"DATE_DIFF(day, `2016T`, 5)", ""}, {"DATE_DIFF(day, null, `2016T`)", "null"},

		{"EXTRACT(YEAR FROM `2010-01-01T`)", "2010"}, {"EXTRACT(MONTH FROM `2010T`)", "1"}, {"EXTRACT(month FROM `2010-10T`)", "10"}, {"EXTRACT(HOUR FROM `2017-01-02T03:04:05+07:08`)", "3"},
		{"EXTRACT(MINUTE FROM `2017-01-02T03:04:05+07:08`)", "4"}, {"EXTRACT(SECOND FROM `2017-01-02T03:04:05.678+07:08`)", "5"}, {"EXTRACT(DAY FROM `2017-01-02T03:04:05+07:08`)", "2"},
		{"EXTRACT(TIMEZONE_HOUR FROM `2017-01-02T03:04:05+07:08`)", "7"}, {"EXTRACT(TIMEZONE_MINUTE FROM `2017-01-02T03:04:05+07:08`)", "8"}, {"EXTRACT(TIMEZONE_HOUR FROM `2017-01-02T03:04:05-08:30`)", "-8"},
		{"EXTRACT(TIMEZONE_MINUTE FROM `2017-01-02T03:04:05-08:30`)", "-30"}, {"EXTRACT(TIMEZONE_HOUR FROM `2017T`)", "0"}, {"EXTRACT(YEAR FROM missing)", "null"}, {"EXTRACT(YEAR FROM 2010)", ""},

		{"TO_STRING(`1969-07-20T20:18Z`, 'MMMM d, y')", `"July 20, 1969"`}, {"TO_STRING(`1969-07-20T20:18Z`, 'MMM d, yyyy')", `"Jul 20, 1969"`}, {"TO_STRING(`1969-07-20T20:18Z`, 'M-d-yy')", `"7-20-69"`},
		{"TO_STRING(`1969-07-20T20:18Z`, 'MM-d-y')", `"07-20-1969"`}, {"TO_STRING(`1969-07-20T20:18Z`, 'MMMM d, y h:m a')", `"July 20, 1969 8:18 PM"`}, {"TO_STRING(`1969-07-20T20:18Z`, 'y-MM-dd''T''H:m:ssX')", `"1969-07-20T20:18:00Z"`},
		{"TO_STRING(`1969-07-20T20:18+08:00`, 'y-MM-dd''T''H:m:ssXXXX')", `"1969-07-20T20:18:00+0800"`}, {"TO_STRING(`1969-07-20T20:18+08:00`, 'y-MM-dd''T''H:m:ssXXXXX')", `"1969-07-20T20:18:00+08:00"`},
		{"TO_STRING(`0070-01-02T00:05:06.0601-01:30`, 'yyyy yy hh HH mm s S SS SSS SSSSSSSSS a X XX XXX x xx xxx')", `"0070 70 12 00 05 6 0 06 060 060100000 AM -0130 -0130 -01:30 -0130 -0130 -01:30"`},
		{"TO_STRING(`2007T`, 'x xx xxx X''''''y''')", `"+00 +0000 +00:00 Z'y"`}, {"TO_STRING(`2007T`, '')", `""`}, {"TO_STRING(`2007T`, 'Q')", `!TO_STRING: the format "Q" has "Q"`}, {"TO_STRING(`2007T`, 'yyy')", "!stands for nothing"},
		{"TO_STRING(`2007T`, 'y''')", "!is not closed"}, {"TO_STRING(`2007T`, 5)", ""}, {"TO_STRING(5, 'y')", ""}, {"TO_STRING(null, 'y')", "null"},

		{"TO_TIMESTAMP('2007T')", "2007T"}, {"TO_TIMESTAMP('2007-02-23T12:14:33.079-08:00')", "2007-02-23T12:14:33.079-08:00"}, {"TO_TIMESTAMP('2016', 'y')", "2016T"}, {"TO_TIMESTAMP('2016', 'yyyy')", "2016T"},
		{"TO_TIMESTAMP('02-2016', 'MM-yyyy')", "2016-02T"}, {"TO_TIMESTAMP('Feb 2016', 'MMM yyyy')", "2016-02T"}, {"TO_TIMESTAMP('february 2016', 'MMMM yyyy')", "2016-02T"}, {"TO_TIMESTAMP('69', 'yy')", "2069T"}, {"TO_TIMESTAMP('70', 'yy')", "1970T"},
		{"TO_TIMESTAMP('2016-2-3', 'y-M-d')", "2016-02-03T"}, {"TO_TIMESTAMP('2016-02-03 4', 'y-M-d H')", "2016-02-03T04:00-00:00"}, {"TO_TIMESTAMP('2016-02-03 04:05', 'y-MM-dd HH:mm')", "2016-02-03T04:05-00:00"},
		{"TO_TIMESTAMP('2016-02-03 12:05 am Z', 'y-MM-dd hh:mm a X')", "2016-02-03T00:05Z"}, {"TO_TIMESTAMP('2016-02-03 12:05 PM +05', 'y-MM-dd hh:mm a X')", "2016-02-03T12:05+05:00"},
		{"TO_TIMESTAMP('20160203040506', 'yyyyMMddHHmmss')", "2016-02-03T04:05:06-00:00"}, {"TO_TIMESTAMP('2016-02-03T04:05:06.070-08:30', 'y-MM-dd''T''HH:mm:ss.SSSxxx')", "2016-02-03T04:05:06.070-08:30"},
		{"TO_TIMESTAMP('x')", "!TO_TIMESTAMP: not a timestamp"}, {"TO_TIMESTAMP('2016-02-30', 'y-M-d')", "!no such day"}, {"TO_TIMESTAMP('2016-0-3', 'y-M-d')", "!no such day"}, {"TO_TIMESTAMP('2016-02-03 24:00', 'y-M-d H:m')", "!no such day or time"},
		{"TO_TIMESTAMP('2', 'd')", "!the format has d without M"}, {"TO_TIMESTAMP('x', '''x''')", "!the format has no year"}, {"TO_TIMESTAMP('2016 2', 'y d')", "!d without M"}, {"TO_TIMESTAMP('2016 Z', 'y X')", "!offset without a time"},
		{"TO_TIMESTAMP('2016 2016', 'y y')", "!twice"}, {"TO_TIMESTAMP('2016-', 'y')", "!more than the format"}, {"TO_TIMESTAMP('2016', 'y-')", "!does not have"}, {"TO_TIMESTAMP('16', 'yyyy')", "!does not have what"},
		{"TO_TIMESTAMP('2016 1 1 5', 'y M d h')", "!both h and a"}, {"TO_TIMESTAMP('2016 1 1 0 am', 'y M d h a')", "!no hour 0 of twelve"}, {"TO_TIMESTAMP('2016 1 1 5 xm', 'y M d h a')", "!does not have what"},
		{"TO_TIMESTAMP('2016 1 1 5 +1900', 'y M d H XX')", "!does not have what"}, {"TO_TIMESTAMP('2016 1 1 5 Z+00', 'y M d H Xx')", "!two offsets"}, {"TO_TIMESTAMP('0000', 'yyyy')", "!the year"},
		{"TO_TIMESTAMP(5)", ""}, {"TO_TIMESTAMP('2016', 5)", ""}, {"TO_TIMESTAMP(null)", "null"}, {"TO_TIMESTAMP('2016', missing)", "null"},

		{"SUBSTRING('123456789', 0)", `"123456789"`}, {"SUBSTRING('123456789', -4)", `"123456789"`}, {"SUBSTRING('123456789', 0, 2)", `"1"`}, {"SUBSTRING('123456789', 1, 999)", `"123456789"`}, {"SUBSTRING('1', -4, 0)", `""`},
		{"SUBSTRING('1234', 10, 10)", `""`}, {"SUBSTRING('123456789' FROM 2)", `"23456789"`}, {"SUBSTRING('123456789' FROM 2 FOR 3)", `"234"`},
		{"TRIM('   foobar   ')", `"foobar"`}, {"TRIM('   \tfoobar\t   ')", `"\tfoobar\t"`}, {"TRIM(LEADING FROM '  foobar  ')", `"foobar  "`}, {"TRIM(TRAILING FROM '  foobar  ')", `"  foobar"`},
		{"TRIM(BOTH FROM '  foobar  ')", `"foobar"`}, {"TRIM(BOTH '1' FROM '11foobar11')", `"foobar"`}, {"TRIM(BOTH '12' FROM '1112211foobar22211122')", `"foobar"`}, {"TRIM(leading '1' FROM '11foobar11')", `"foobar11"`},
		{"TRIM('😁' FROM '😁😁foobar😁😁')", `"foobar"`}, {"TRIM(BOTH null FROM 'x')", "null"}, {"TRIM(BOTH 1 FROM 'x')", ""}, {"TRIM(1)", ""},

		{"TXID()", `"L7S9iJqcn9W2M4qOEn27ay"`}, {"UTCNOW()", "2019-12-27T20:12:16.999Z"}, {"utcnow() = UTCNOW()", "true"}, {"EXTRACT(YEAR FROM UTCNOW())", "2019"},
	}
	for _, tt := range tests {
		rows, err := execute(t, people(t), "SELECT VALUE "+tt.call+" FROM <<0>>", "")
		if want, ok := strings.CutPrefix(tt.want, "!"); ok {
			if _, semantic := errors.AsType[*SemanticError](err); !semantic || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %s, %v, want an error with %q", tt.call, texts(rows), err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.call, err)
		} else if got := texts(rows); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.call, got, tt.want)
		}
	}
}

// TestFunctionsOnDocuments uses functions where documents are read, changed and looked up.
func TestFunctionsOnDocuments(t *testing.T) {
	db := people(t)
	must(t, db, "UPDATE Person AS p SET p.seen = UTCNOW(), p.txn = TXID() WHERE p.id = CAST('1' AS INT)", "")
	got := texts(must(t, db, "SELECT name, EXTRACT(YEAR FROM seen) AS y, txn FROM Person WHERE DATE_DIFF(day, seen, UTCNOW()) = 0", ""))
	if want := `{name:"Ada",y:2019,txn:"L7S9iJqcn9W2M4qOEn27ay"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = texts(must(t, db, "SELECT both, leading, year FROM <<{'both': 1, 'leading': 2, 'year': 3}>> AS x", ""))
	if want := `{both:1,leading:2,year:3}`; got != want {
		t.Errorf("words of functions are no names: got %s, want %s", got, want)
	}
	got = texts(must(t, db, "SELECT VALUE TRIM(both) || TRIM(leading.x) FROM <<{'both': ' a ', 'leading': {'x': ' b '}}>> AS x", ""))
	if want := `"ab"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestDatesAgainstTwin compares with what the calendar of Go's library says.
func TestDatesAgainstTwin(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		zone := time.FixedZone("", 60*(r.IntN(1200)-600))
		a := time.Date(1900+r.IntN(200), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e9), zone)
		n := int64(r.IntN(1000) - 500)
		for part, want := range map[string]time.Time{"YEAR": a.AddDate(int(n), 0, 0), "MONTH": a.AddDate(0, int(n), 0), "DAY": a.AddDate(0, 0, int(n)),
			"HOUR": a.Add(time.Duration(n) * time.Hour), "MINUTE": a.Add(time.Duration(n) * time.Minute), "SECOND": a.Add(time.Duration(n) * time.Second)} {
			v, err := dateAdd(part, n, ion.Moment{Time: a, Precision: ion.Second, Digits: 9, Offset: true})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got, _ := v.AsMoment()
			if !got.Time.Equal(want) {
				t.Fatalf("seed %d: %v and %d %s is %v, want %v", seed, a, n, part, got.Time, want)
			}
			if diff := dateDiff(part, a, got.Time); diff != n {
				t.Fatalf("seed %d: from %v to %v it is %d %s, want %d", seed, a, got.Time, diff, part, n)
			}
			// A nanosecond less is one part less, on either side.
			if less := dateDiff(part, a, got.Time.Add(-time.Duration(max(-1, min(1, n))))); n != 0 && less != n-max(-1, min(1, n)) {
				t.Fatalf("seed %d: from %v to just before %v it is %d %s", seed, a, got.Time, less, part)
			}
		}
	}
}

// FuzzFormat: what a format with all parts writes, it reads.
func FuzzFormat(f *testing.F) {
	f.Add("y-MM-dd'T'HH:mm:ss.SSSXXX", int64(1_600_000_000_123), int16(60))
	f.Add("MMMM d, yyyy h:m:s a x", int64(-5), int16(-90))
	f.Add("''y''M/d H 'o''clock' m S", int64(0), int16(0))
	f.Fuzz(func(t *testing.T, text string, millis int64, offset int16) {
		if millis < -60_000_000_000_000 || millis > 200_000_000_000_000 || offset < -18*60 || offset > 18*60 {
			return
		}
		pattern, err := parseFormat(text)
		if err != nil {
			return
		}
		at := time.UnixMilli(millis).In(time.FixedZone("", 60*int(offset)))
		if at.Year() < 1000 || at.UTC().Year() > 9999 || at.Year() > 9999 {
			return
		}
		written := pattern.write(at)
		v, err := pattern.read(written)
		if err != nil {
			return // a format can lack what a timestamp needs
		}
		m, ok := v.AsMoment()
		if again := pattern.write(m.Time); ok && again != written && m.Offset {
			t.Fatalf("the format %q writes %q, and what it reads from that as %q", text, written, again)
		}
	})
}
