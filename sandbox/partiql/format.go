package partiql

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"loadkms/sandbox/ion"
)

// A format is a pattern of TO_STRING and TO_TIMESTAMP: runs of one letter, each of which stands for a part
// of the time, and what stands between them, which is taken as it is. Between single quotation marks
// letters are just letters, and two marks are one.
type format []formatPart

// A formatPart is a run of a letter, or text if letter is 0.
type formatPart struct {
	letter byte
	width  int
	text   string
}

// formatWidths are the letters of a format, with how often they can be repeated. Offsets of four and five
// letters are QLDB's own in its examples.
var formatWidths = map[byte][]int{
	'y': {1, 2, 4}, 'M': {1, 2, 3, 4}, 'd': {1, 2}, 'a': {1}, 'h': {1, 2}, 'H': {1, 2}, 'm': {1, 2}, 's': {1, 2},
	'S': {1, 2, 3, 4, 5, 6, 7, 8, 9}, 'X': {1, 2, 3, 4, 5}, 'x': {1, 2, 3, 4, 5},
}

// maxFormat bounds formats, each of which is read anew for every row.
const maxFormat = 200

func parseFormat(s string) (format, error) {
	if len(s) > maxFormat {
		return nil, fmt.Errorf("the format is longer than %d bytes", maxFormat)
	}
	var f format
	literal := func(text string) {
		if n := len(f); n > 0 && f[n-1].letter == 0 {
			f[n-1].text += text
			return
		}
		f = append(f, formatPart{text: text})
	}
	for p := 0; p < len(s); {
		c := s[p]
		switch {
		case c == '\'':
			text, end := unquote(s, p)
			if end < 0 {
				return nil, fmt.Errorf("a quotation in the format %q is not closed", s)
			}
			if text == "" { // two marks outside of a quotation
				text = "'"
			}
			literal(text)
			p = end
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			start := p
			for p < len(s) && s[p] == c {
				p++
			}
			width, ok := p-start, false
			for _, w := range formatWidths[c] {
				ok = ok || w == width
			}
			if !ok {
				return nil, fmt.Errorf("the format %q has %q, which stands for nothing", s, s[start:p])
			}
			f = append(f, formatPart{letter: c, width: width})
		default:
			literal(s[p : p+1])
			p++
		}
	}
	return f, nil
}

func (f format) write(t time.Time) string {
	var b strings.Builder
	for _, p := range f {
		if p.letter == 0 {
			b.WriteString(p.text)
			continue
		}
		b.WriteString(p.write(t))
	}
	return b.String()
}

func (p formatPart) write(t time.Time) string {
	number := 0
	switch p.letter {
	case 'y':
		if number = t.Year(); p.width == 2 {
			number %= 100
		}
	case 'M':
		if p.width >= 3 {
			return monthName(t.Month(), p.width)
		}
		number = int(t.Month())
	case 'd':
		number = t.Day()
	case 'a':
		return [...]string{"AM", "PM"}[t.Hour()/12]
	case 'h':
		number = (t.Hour()+11)%12 + 1
	case 'H':
		number = t.Hour()
	case 'm':
		number = t.Minute()
	case 's':
		number = t.Second()
	case 'S':
		return fmt.Sprintf("%09d", t.Nanosecond())[:p.width]
	case 'X', 'x':
		return p.offset(t)
	}
	return fmt.Sprintf("%0*d", p.width, number)
}

// monthName is the month's name, for a width of 3 its first three letters.
func monthName(m time.Month, width int) string {
	if width == 3 {
		return m.String()[:3]
	}
	return m.String()
}

// offset writes hours, and minutes if the width asks for them or there are any; X writes Z for no offset.
func (p formatPart) offset(t time.Time) string {
	_, seconds := t.Zone()
	minutes := seconds / 60
	if minutes == 0 && p.letter == 'X' {
		return "Z"
	}
	sign := '+'
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	switch {
	case p.width == 1 && minutes%60 == 0:
		return fmt.Sprintf("%c%02d", sign, minutes/60)
	case p.colon():
		return fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
	}
	return fmt.Sprintf("%c%02d%02d", sign, minutes/60, minutes%60)
}

func (p formatPart) colon() bool { return p.width == 3 || p.width == 5 }

// A formatted is a text as it is read by a format: the parts that were there, by letter.
type formatted struct {
	rest  string
	parts map[byte]int
}

// read reads a timestamp. Its precision is that of the least part in the format.
func (f format) read(s string) (ion.Value, error) {
	r := &formatted{rest: s, parts: map[byte]int{}}
	digits := 0
	for _, p := range f {
		switch _, twice := r.parts[p.letter]; {
		case p.letter == 0:
			var ok bool
			if r.rest, ok = strings.CutPrefix(r.rest, p.text); !ok {
				return ion.Value{}, fmt.Errorf("%q does not have %q where the format has it", s, p.text)
			}
			continue
		case twice:
			return ion.Value{}, fmt.Errorf("the format has %q twice", p.letter)
		case p.letter == 'S':
			digits = p.width
		}
		n, ok := r.part(p)
		if !ok {
			return ion.Value{}, fmt.Errorf("%q does not have what %q in the format stands for", s, strings.Repeat(string(p.letter), p.width))
		}
		r.parts[p.letter] = n
	}
	if r.rest != "" {
		return ion.Value{}, fmt.Errorf("%q has more than the format", s)
	}
	return r.moment(uint8(digits))
}

// part takes a part off what is left of the text.
func (r *formatted) part(p formatPart) (n int, ok bool) {
	least, most := p.width, p.width
	switch p.letter {
	case 'a':
		if len(r.rest) < 2 {
			return 0, false
		}
		half := strings.ToUpper(r.rest[:2])
		r.rest = r.rest[2:]
		return strings.Index("AMPM", half) / 2, half == "AM" || half == "PM"
	case 'X', 'x':
		return r.offset(p)
	case 'S':
		if n, ok = r.number(least, most); !ok {
			return 0, false
		}
		for range 9 - p.width {
			n *= 10
		}
		return n, true
	case 'M':
		if p.width >= 3 {
			for m := time.January; m <= time.December; m++ {
				name := monthName(m, p.width)
				if len(r.rest) >= len(name) && strings.EqualFold(r.rest[:len(name)], name) {
					r.rest = r.rest[len(name):]
					return int(m), true
				}
			}
			return 0, false
		}
	}
	if p.width == 1 {
		if most = 2; p.letter == 'y' {
			most = 4
		}
	}
	if n, ok = r.number(least, most); p.letter == 'y' && p.width == 2 {
		if n += 1900; n < 1970 {
			n += 100
		}
	}
	return n, ok
}

func (r *formatted) number(least, most int) (int, bool) {
	n := 0
	for n < len(r.rest) && n < most && isDigit(r.rest[n]) {
		n++
	}
	if n < least {
		return 0, false
	}
	v, err := strconv.Atoi(r.rest[:n])
	r.rest = r.rest[n:]
	return v, err == nil
}

// offset reads what formatPart.offset writes, as minutes.
func (r *formatted) offset(p formatPart) (minutes int, ok bool) {
	if rest, ok := strings.CutPrefix(r.rest, "Z"); ok && p.letter == 'X' {
		r.rest = rest
		return 0, true
	}
	if r.rest == "" || r.rest[0] != '+' && r.rest[0] != '-' {
		return 0, false
	}
	negative := r.rest[0] == '-'
	r.rest = r.rest[1:]
	hours, ok := r.number(2, 2)
	if !ok {
		return 0, false
	}
	if p.width > 1 {
		if p.colon() {
			if r.rest, ok = strings.CutPrefix(r.rest, ":"); !ok {
				return 0, false
			}
		}
		if minutes, ok = r.number(2, 2); !ok {
			return 0, false
		}
	} else if n, has := r.number(2, 2); has {
		minutes = n
	}
	const most = 18 // hours, as in Java's time zones
	if minutes += 60 * hours; minutes%60 != minutes-60*hours || minutes > 60*most {
		return 0, false
	}
	if negative {
		minutes = -minutes
	}
	return minutes, true
}

// formatOrder are the parts of which none can be there without those before it.
var formatOrder = []struct {
	letter    byte
	precision ion.Precision
}{{'y', ion.Year}, {'M', ion.Month}, {'d', ion.Day}, {'H', ion.Minute}, {'m', ion.Minute}, {'s', ion.Second}, {'S', ion.Second}}

// moment puts the parts together.
func (r *formatted) moment(digits uint8) (ion.Value, error) {
	hour, with12 := r.parts['h']
	half, withHalf := r.parts['a']
	if with12 != withHalf {
		return ion.Value{}, fmt.Errorf("the format must have both h and a, or neither")
	}
	if _, with24 := r.parts['H']; with12 {
		if with24 || hour < 1 || hour > 12 {
			return ion.Value{}, fmt.Errorf("there is no hour %d of twelve, or another hour", hour)
		}
		r.parts['H'] = hour%12 + 12*half
	}
	m := ion.Moment{Digits: digits}
	for i, part := range formatOrder {
		if _, ok := r.parts[part.letter]; !ok {
			continue
		}
		if i > 0 {
			if before := formatOrder[i-1].letter; !r.has(before) {
				return ion.Value{}, fmt.Errorf("the format has %c without %c", part.letter, before)
			}
		}
		m.Precision = part.precision
	}
	if m.Precision == 0 {
		return ion.Value{}, fmt.Errorf("the format has no year")
	}
	offset, known := r.parts['X']
	if small, ok := r.parts['x']; ok {
		if known {
			return ion.Value{}, fmt.Errorf("the format has two offsets")
		}
		offset, known = small, true
	}
	if known && m.Precision < ion.Minute {
		return ion.Value{}, fmt.Errorf("the format has an offset without a time")
	}
	month, day := max(r.parts['M'], 1), max(r.parts['d'], 1)
	m.Time = time.Date(r.parts['y'], time.Month(month), day, r.parts['H'], r.parts['m'], r.parts['s'], r.parts['S'],
		time.FixedZone("", 60*offset))
	m.Offset = known
	t := m.Time
	if r.has('M') && r.parts['M'] == 0 || r.has('d') && r.parts['d'] == 0 || t.Year() != r.parts['y'] || int(t.Month()) != month ||
		t.Day() != day || t.Hour() != r.parts['H'] || t.Minute() != r.parts['m'] || t.Second() != r.parts['s'] {
		return ion.Value{}, fmt.Errorf("there is no such day or time")
	}
	return m.Value()
}

func (r *formatted) has(letter byte) bool { _, ok := r.parts[letter]; return ok }
