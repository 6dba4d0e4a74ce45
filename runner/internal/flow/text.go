package flow

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"loadkms/runner/internal/fake"
	"loadkms/scenarios"
)

// A text is a template compiled for virtual users: constant bytes and holes.
type text struct{ parts []part }

// A part is constant text, or a hole.
type part struct {
	hole  hole
	mode  scenarios.Mode
	text  string // of constant text
	ref   ref    // of a variable
	fake  func(f *fake.Faker, args []string) string
	args  []string // of fake
	least int64    // of $randomNumber; the length of $randomString
	most  int64
}

// A hole says where a hole's value comes from.
type hole uint8

const (
	constant hole = iota
	variableHole
	sequenceHole
	createdHole
	createdAllHole
	randomNumberHole
	randomStringHole
	firstNameHole
	lastNameHole
	emailHole
	streetHole
	postcodeHole
	uuidHole     // $uuid()
	templateHole // $template(name): what the variable holds is a template
	traceHole    // a traceparent (W3C Trace Context)
	fakeHole
)

var holes = map[string]hole{
	"$sequence": sequenceHole, "$created": createdHole, "$randomNumber": randomNumberHole,
	"$randomString": randomStringHole, "$firstName": firstNameHole, "$lastName": lastNameHole,
	"$email": emailHole, "$street": streetHole, "$postcode": postcodeHole,
	"$uuid": uuidHole, "$template": templateHole,
}

// literal returns the text and true if it has no holes.
func (t *text) literal() (string, bool) {
	var b strings.Builder
	for i := range t.parts {
		if t.parts[i].hole != constant {
			return "", false
		}
		b.WriteString(t.parts[i].text)
	}
	return b.String(), true
}

func (t *text) has(h hole) bool {
	for i := range t.parts {
		if t.parts[i].hole == h {
			return true
		}
	}
	return false
}

// text compiles a template.
func (c *compiler) text(t scenarios.Template) text {
	var out text
	for _, in := range t.Parts {
		p := part{text: in.Text, mode: in.Mode}
		switch {
		case in.Var != "":
			if v, is, ok := environment(in.Var); is && ok {
				p = constantPart(v, in.Mode)
				break
			} else if is {
				c.problem(t.Pos, "", "the process has no environment variable %q", in.Var[strings.IndexByte(in.Var, '.')+1:])
				break
			}
			p.hole, p.ref = variableHole, c.ref(in.Var, t.Pos)
		case in.Call != "":
			var problem string
			if p, problem = callPart(in); problem != "" {
				c.problem(t.Pos, "", "%s", problem)
			} else if p.hole == templateHole {
				p.ref, c.templates = c.ref(in.Args[0], t.Pos), true
			}
		}
		out.parts = append(out.parts, p)
	}
	return out
}

// constantPart returns a hole's value as constant text.
func constantPart(s string, mode scenarios.Mode) part {
	b := []byte(s)
	switch mode {
	case scenarios.JSONValue:
		b = []byte(jsonOf(s))
	case scenarios.JSONString:
		b = appendJSON(nil, b)
	case scenarios.FormString:
		b = appendForm(nil, b)
	}
	return part{text: string(b)}
}

// longestRandom bounds $randomString: every virtual user makes one in its own buffer.
const longestRandom = 1 << 20

// callPart returns the hole of a call of a function, or what is wrong with it.
func callPart(in scenarios.Part) (p part, problem string) {
	p = part{mode: in.Mode}
	var ok bool
	if p.hole, ok = holes[in.Call]; !ok {
		if p.fake, ok = fake.Func(in.Call); ok {
			p.hole, p.args = fakeHole, in.Args
			return p, ""
		}
		return p, fmt.Sprintf("unknown function %q", in.Call)
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(in.Args[i], 10, 64)
		ok = ok && err == nil
		return n
	}
	switch n := len(in.Args); {
	case p.hole == createdHole && n == 1 && in.Args[0] == "all":
		p.hole = createdAllHole
	case p.hole == randomNumberHole && n == 2:
		p.least, p.most = number(0), number(1)
		ok = ok && p.least <= p.most
	case p.hole == randomStringHole && n == 0:
		p.least = 10 // as in Artillery
	case p.hole == randomStringHole && n == 1:
		p.least = number(0)
		ok = ok && p.least >= 0 && p.least <= longestRandom
	case p.hole == templateHole:
		ok = n == 1
	default:
		ok = n == 0 && p.hole != randomNumberHole
	}
	if !ok {
		return p, fmt.Sprintf("%s cannot be called with %q", in.Call, in.Args)
	}
	return p, ""
}

// A place says what a text is rendered for.
type place uint8

const (
	asIs  place = iota // the mode of every hole decides
	inURL              // what a URL cannot hold is escaped
	inLog              // nothing is drawn or counted: the values of the request before are shown
)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// render appends t, with w's values, to b. It reports false if a value is missing; in a log, which
// must not fail, "undefined" stands for it. It allocates nothing but b, except for fake data.
func (t *text) render(w *walk, b []byte, where place) ([]byte, bool) {
	for i := range t.parts {
		p := &t.parts[i]
		if p.hole == constant {
			b = append(b, p.text...)
			continue
		}
		at, number, ok := len(b), false, true
		switch p.hole {
		case variableHole:
			if v := w.value(p.ref); !v.set {
				ok = false
			} else if p.mode == scenarios.JSONValue {
				b, number = append(b, v.json...), true
			} else {
				b = append(b, v.text...)
			}
		case sequenceHole:
			b, number = strconv.AppendUint(b, w.number, 10), true
		case createdHole:
			b, number, ok = w.draw(b, &w.created, where, p.hole)
		case createdAllHole:
			b, number, ok = w.draw(b, &w.all, where, p.hole)
		case randomNumberHole:
			n := p.least
			if width := uint64(p.most-p.least) + 1; width != 0 {
				n += int64(w.dice.Uint64N(width))
			} else {
				n = int64(w.dice.Uint64())
			}
			b, number = strconv.AppendInt(b, n, 10), true
		case randomStringHole:
			for range p.least {
				b = append(b, letters[w.dice.IntN(len(letters))])
			}
		case firstNameHole:
			b = append(b, w.fake.FirstName()...)
		case lastNameHole:
			b = append(b, w.fake.LastName()...)
		case emailHole:
			b = append(b, w.fake.Email()...)
		case streetHole:
			b = append(b, w.fake.Street()...)
		case postcodeHole:
			b = append(b, w.fake.Zip()...)
		case uuidHole:
			b = appendUUID(b, w.dice)
		case templateHole:
			if v := w.value(p.ref); !v.set {
				ok = false
			} else {
				b = append(b, w.fill(v.text, scenarios.Plain)...)
			}
		case traceHole:
			b = append(b, "00-a9"...)
			b = appendHex(b, w.dice.Uint64()>>8, 14)
			b = appendHex(b, w.dice.Uint64(), 16)
			b = append(appendHex(append(b, '-'), w.dice.Uint64()|1, 16), "-01"...)
		case fakeHole:
			b = append(b, p.fake(w.fake, p.args)...)
		}
		if !ok {
			if where != inLog {
				w.lack = p
				return b, false
			}
			b = append(b, "undefined"...)
			continue
		}
		if number {
			continue
		}
		switch {
		case p.mode == scenarios.JSONValue:
			b = w.quote(b, at)
		case p.mode == scenarios.JSONString:
			b = w.escape(b, at, plainJSON, appendJSON)
		case p.mode == scenarios.FormString:
			b = w.escape(b, at, plainForm, appendForm)
		case where == inURL:
			b = w.escape(b, at, plainURL, escapeURLBytes)
		}
	}
	return b, true
}

// draw appends the id of an acknowledged create: the same one throughout a request.
func (w *walk) draw(b []byte, d *drawn, where place, h hole) ([]byte, bool, bool) {
	if !d.ok && where != inLog {
		if h == createdHole {
			d.id, d.ok = w.user.records.Random(w.urn)
		} else {
			d.id, d.ok = w.user.records.Next()
		}
	}
	if !d.ok {
		return b, false, false
	}
	return strconv.AppendUint(b, d.id, 10), true, true
}

// escape replaces what stands in b from at on by its escaped form, if it has one.
func (w *walk) escape(b []byte, at int, plain func(byte) bool, escape func(to, from []byte) []byte) []byte {
	for _, c := range b[at:] {
		if !plain(c) {
			w.scratch = append(w.scratch[:0], b[at:]...)
			return escape(b[:at], w.scratch)
		}
	}
	return b
}

// quote makes what stands in b from at on a JSON string.
func (w *walk) quote(b []byte, at int) []byte {
	w.scratch = append(w.scratch[:0], b[at:]...)
	b = append(b[:at], '"')
	b = appendJSON(b, w.scratch)
	return append(b, '"')
}

// plainJSON reports whether c stands for itself in a JSON string. Bytes of longer characters are
// looked at as such, because they may not be valid UTF-8.
func plainJSON(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// plainForm reports whether c stands for itself in a form or the value of a query.
func plainForm(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

// appendForm appends from as a form or the value of a query has it.
func appendForm(to, from []byte) []byte {
	for _, c := range from {
		switch {
		case plainForm(c):
			to = append(to, c)
		case c == ' ':
			to = append(to, '+')
		default:
			to = append(to, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return to
}

// appendHex appends the last digits of x.
func appendHex(b []byte, x uint64, digits int) []byte {
	for digits--; digits >= 0; digits-- {
		b = append(b, hexDigits[x>>(4*digits)&15])
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendJSON appends from as the inside of a JSON string (RFC 8259 section 7). What is not UTF-8
// becomes U+FFFD, as in encoding/json.
func appendJSON(to, from []byte) []byte {
	for i := 0; i < len(from); {
		c := from[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(from[i:])
			to = utf8.AppendRune(to, r) // U+FFFD for what is no character
			i += n
			continue
		}
		i++
		switch {
		case plainJSON(c):
			to = append(to, c)
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c == '\n':
			to = append(to, '\\', 'n')
		case c == '\r':
			to = append(to, '\\', 'r')
		case c == '\t':
			to = append(to, '\\', 't')
		default:
			to = append(to, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return to
}

// plainURL reports whether c can stand in a URL, where it may mean something. Percent signs are looked
// at as such: they may begin an escape.
func plainURL(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return false
	}
	switch c {
	case '"', '<', '>', '\\', '^', '`', '{', '|', '}', '#', '%':
		return false
	}
	return true
}

// escapeURLBytes appends from with everything escaped that cannot stand in a URL. What is escaped
// already stays so; a number sign would end the request's URL and is escaped too.
func escapeURLBytes(to, from []byte) []byte {
	for i, c := range from {
		if plainURL(c) || c == '%' && i+2 < len(from) && isHex(from[i+1]) && isHex(from[i+2]) {
			to = append(to, c)
			continue
		}
		to = append(to, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
	}
	return to
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// escapeURL does the same for text of the script, where a number sign begins a fragment, which is
// never sent.
func escapeURL(to []byte, from string) []byte {
	for i, c := range []byte(from) {
		if c == '#' {
			to = append(to, c)
			continue
		}
		to = escapeURLBytes(to, []byte(from)[i:i+1])
		if c == '%' && i+2 < len(from) && isHex(from[i+1]) && isHex(from[i+2]) {
			to = append(to[:len(to)-3], '%')
		}
	}
	return to
}
