package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"loadkms/result"
)

// An action's entry in the catalog: what it breaks, and which keys say more about that.
type catalogEntry struct {
	do      Action
	target  string   // the key that names what it breaks; "" if that is one of oneOf
	changes string   // what of the target it changes: two actions that change the same do not overlap
	needs   []string // further keys it cannot do without
	oneOf   []string // of which it takes exactly one
	may     []string // and those it can
	oneWay  bool     // nothing undoes it
	doc     string   // one line
	more    string   // a paragraph for the page of the language
}

// keys returns every key that belongs to the action alone.
func (c *catalogEntry) keys() []string {
	keys := slices.Concat(c.needs, c.oneOf, c.may)
	if c.target != "" {
		keys = slices.Insert(keys, 0, c.target)
	}
	return keys
}

var catalog = []catalogEntry{
	{
		do: RotateAlias, target: "alias", changes: "target", needs: []string{"to"},
		doc: "points the alias to the key `to`; restored by pointing it back",
		more: "The new key must be of the same kind as the old one. A system that looked the alias up once does not follow it, " +
			"which is what such a run finds out.",
	},
	{
		do: UpdateLedgerKey, target: "ledger", changes: "key", needs: []string{"to"},
		doc: "gives the QLDB ledger the key `to`; restored by giving it the key it had",
		more: "A key that the users of the ledger may not use is fine, too. Until the ledger is at rest under its own key again, " +
			"it does not count as restored.",
	},
	{
		do: DisableKey, target: "key", changes: "state",
		doc:  "disables the key; restored by enabling it",
		more: "The key must be `Enabled`.",
	},
	{
		do: DenyKey, target: "key", changes: "policy", needs: []string{"role"}, may: []string{"mode"},
		doc: "changes the key's policy so that `role` may not use the key; restored by putting the policy back, byte for byte",
		more: "With `mode: deny`, the default, a statement that denies the role everything is added. With `mode: remove` the role is taken " +
			"out of the statements that allow it something, so that it is refused for want of a permission. The account's root, " +
			"and whoever runs loadkms, is never denied. A policy that somebody else has changed meanwhile is left alone.",
	},
	{
		do: ScheduleKeyDeletion, target: "key", changes: "state",
		doc: "schedules the key's deletion in 30 days; restored by canceling it and, if the key was enabled, enabling it",
		more: "The key must be `Enabled` or `Disabled`, and have no replicas in other Regions. 30 days is the longest KMS waits. " +
			"Canceling has no dry run: the rehearsal cancels a deletion that is not there, which KMS refuses for the key's state, and " +
			"to those who may not cancel for that. No other fault may change the key's state at the same time.",
	},
	{
		do: RevokeGrant, target: "key", changes: "grants", oneOf: []string{"ledger", "grantee", "grant"},
		doc: "revokes one grant on the key; restored by making one that differs in nothing but its id",
		more: "Say which: the grant of a `ledger`, the one to a `grantee`, or the `grant` of a name or id. A grant of an AWS service can " +
			"only be made again by that service, which a ledger does when it is told to use the key it uses; those of other services are " +
			"refused. Whoever had the grant needs no more than patience: KMS may take minutes to make it known everywhere.",
	},
	{
		do: Run, target: "command", changes: "command", needs: []string{"undo"}, may: []string{"check"},
		doc: "runs a command of yours; restored by running `undo`",
		more: "Each is a list: a program and its arguments. No shell is involved, and they run in the folder that loadkms runs in, with its " +
			"environment and `LOADKMS_TARGET`, the base URL; if the target is the embedded sandbox, also with the variables that point AWS " +
			"clients to it. `undo` must be idempotent: it is run once before the command, as a rehearsal, and may be run again. `check` exits " +
			"with 0 as long as all is as before; with it, restored is what the check says, without, what `undo` says. A command has a " +
			"minute. What they print goes to the run's log, without the values of variables that look secret; their arguments are " +
			"written to the journal, so keep secrets in variables.",
	},
	{
		do: RotateKey, target: "key", changes: "material", needs: []string{"oneWay"}, oneWay: true,
		doc: "rotates the key's material, now; nothing undoes it",
		more: "`oneWay: true` says that you know, and there is no `for`: the fault is in force until the run ends. What older material " +
			"encrypted is decrypted as before. The key must be `Enabled`, symmetric, of KMS's own material, and not yet rotated on demand " +
			"25 times.",
	},
	{
		do: DeleteKeyMaterial, target: "key", changes: "state", needs: []string{"material"},
		doc: "deletes the imported material of the key; restored by importing the same `material`, with the expiry it had",
		more: "The key must be `Enabled` and of origin `EXTERNAL`. `material` is the file with what was imported, as it is, not wrapped; a " +
			"relative path starts at the script's folder. It is imported once over the same material before that is deleted, and KMS refuses any " +
			"other. What is in the file is written nowhere; who recovers on another machine needs the file there. No other fault may change the " +
			"key's state at the same time.",
	},
	{
		do: DisconnectKeyStore, changes: "connection", oneOf: []string{"key", "keyStore"},
		doc: "disconnects the custom key store, or that of the key, from its cluster; restored by connecting it",
		more: "Every key in the store is `Unavailable` meanwhile. Connecting takes up to 20 minutes, and the restore waits for that. The store must be " +
			"`CONNECTED`. No fault on a key in the store should overlap it: that key could not be put back before the store is.",
	},
}

// purposes say what the keys are for that belong to some actions only.
var purposes = map[string]string{
	"key": "what to break", "alias": "what to break", "ledger": "what to break",
	"to": "the other key", "role": "whom to deny the key", "material": "the file to import again", "oneWay": "true, for nothing undoes it",
	"command": "what to run", "undo": "the command that puts it back",
}

func actionNames() (names []string) {
	for _, c := range catalog {
		names = append(names, string(c.do))
	}
	return names
}

// actionKeys returns every key that belongs to some actions only, in the order of the section.
func actionKeys() (names []string) {
	for _, k := range faultSection.rows() {
		if slices.ContainsFunc(catalog, func(c catalogEntry) bool { return contains(c.keys(), k.name) }) {
			names = append(names, k.name)
		}
	}
	return names
}

// A faultDraft is a fault while its keys are read.
type faultDraft struct {
	Fault
	entry *catalogEntry
	at    *yaml.Node // of "at"
	forAt *yaml.Node // of the value of "for"
}

var faultSection = section[faultDraft]{
	name:  "fault",
	about: "One thing to break on purpose, for a while. It is always put back.",
	keys: []key[faultDraft]{
		{"name", optional, textShape, "for reports; action and target unless told",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Name = p.name(n, "name")
			}},
		{"do", required, wordOf(actionNames()...), "how to break it: an action of the catalog below",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				s, ok := p.text(n, "do")
				if !ok {
					return
				}
				i := slices.IndexFunc(catalog, func(c catalogEntry) bool { return string(c.do) == s })
				if i < 0 {
					p.at(n, meant(s, actionNames(), "known actions:"), "unknown action %s in fault",
						quote(s))
					return
				}
				d.Do, d.entry = catalog[i].do, &catalog[i]
			}},
		{"key", optional, templateShape, "the key to break: an id, ARN or alias, often `{{ stack.NAME }}`",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Key = p.target(n, "key")
			}},
		{"alias", optional, templateShape, "the alias to break",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Alias = p.target(n, "alias")
				if s, ok := d.Alias.Literal(); ok && s != "" {
					switch {
					case !strings.HasPrefix(s, "alias/"):
						p.at(n, fmt.Sprintf("write %s", quote("alias/"+s)),
							`the name of an alias begins with "alias/", and %s does not`, quote(s))
					case strings.HasPrefix(s, "alias/aws/"):
						p.at(n, "", "%s belongs to AWS and cannot be changed", quote(s))
					}
				}
			}},
		{"ledger", optional, templateShape, "the ledger to break, or whose grant to revoke",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Ledger = p.target(n, "ledger")
			}},
		{"to", optional, templateShape, "the other key, for actions that change to one",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.To = p.target(n, "to")
			}},
		{"role", optional, templateShape, "whom to deny the key: a role's name or ARN",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Role = p.target(n, "role")
			}},
		{"mode", optional, wordOf(denyModes...), "how to deny it: by a statement that denies (the default), or by removing what allows",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				if s, ok := p.word(n, "mode", denyModes); ok {
					d.Mode = Denial(s)
				}
			}},
		{"grantee", optional, templateShape, "the principal whose grant to revoke",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Grantee = p.target(n, "grantee")
			}},
		{"grant", optional, templateShape, "the grant to revoke, by its name or id",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Grant = p.target(n, "grant")
			}},
		{"command", optional, listOf(templateShape), "what to run: a program and its arguments",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Command = p.argv(n, "command")
			}},
		{"undo", optional, listOf(templateShape), "the command that puts back what `command` changed; idempotent",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Undo = p.argv(n, "undo")
			}},
		{"check", optional, listOf(templateShape), "the command that exits with 0 while all is as before",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Check = p.argv(n, "check")
			}},
		{"oneWay", optional, shape{"`true`", map[string]any{"const": true}}, "for an action that nothing undoes",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				if d.OneWay = n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Value == "true"; !d.OneWay {
					p.at(n, "write oneWay: true, or choose an action that is undone", "oneWay is true or not written at all")
				}
			}},
		{"material", optional, templateShape, "the file with the key's material, to import again",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.Material = p.target(n, "material")
			}},
		{"keyStore", optional, templateShape, "the custom key store to disconnect, by its name or id",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.KeyStore = p.target(n, "keyStore")
			}},
		{"at", required, either(durationShape, to("at")),
			"when: a duration since the run began, or a phase",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.at = n
				d.At = p.when(n)
			}},
		{"for", optional, durationShape, "how long; until the run ends unless told",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				d.forAt = n
				d.For, _ = p.span(n, "for")
			}},
		{"expect", optional, to("expectations"), "what must hold before, during and after",
			func(p *parser, n *yaml.Node, d *faultDraft) {
				expectationsSection.read(p, n, &d.Expect)
			}},
	},
}

var denyModes = []string{string(ByDeny), string(ByRemoval)}

var atSection = section[When]{
	name:  "at",
	about: "A moment of the run, by phase.",
	keys: []key[When]{
		{"phase", required, textShape, "the name of the phase",
			func(p *parser, n *yaml.Node, w *When) {
				w.Phase = p.phaseNamed(n)
			}},
		{"after", optional, durationShape, "since the phase began; 0 unless told",
			func(p *parser, n *yaml.Node, w *When) {
				w.Offset, _ = p.duration(n, "after")
			}},
	},
}

// argv reads a command: a program and its arguments.
func (p *parser) argv(n *yaml.Node, what string) (words []Template) {
	if n.Kind != yaml.SequenceNode {
		p.at(n, "write [program, argument, …]: no shell takes it apart", "%s must be a list, not %s", what, kind(n))
		return nil
	}
	if len(n.Content) == 0 {
		p.at(n, "write [program, argument, …]", "%s must not be empty", what)
	}
	for _, item := range n.Content {
		words = append(words, p.target(item, "a word of "+what))
	}
	return words
}

func (p *parser) when(n *yaml.Node) When {
	w := When{Pos: p.pos(n), Phase: -1}
	if n.Kind == yaml.MappingNode {
		atSection.read(p, n, &w)
	} else if n.Kind != yaml.ScalarNode {
		p.at(n, "write 30s or {phase: NAME, after: 10s}", "at must be a duration or a phase, not %s",
			kind(n))
	} else {
		w.Offset, _ = p.duration(n, "at")
	}
	return w
}

func (p *parser) phaseNamed(n *yaml.Node) int {
	name, ok := p.text(n, "phase")
	if !ok {
		return -1
	}
	at := -1
	var names []string
	for i, ph := range p.out.Config.Phases {
		if ph.Name == name {
			if at >= 0 {
				p.at(n, fmt.Sprintf("they begin on lines %d and %d", p.out.Config.Phases[at].Line,
					ph.Line),
					"two phases are called %s", quote(name))
				return at
			}
			at = i
		}
		if ph.Name != "" {
			names = append(names, ph.Name)
		}
	}
	if at < 0 {
		if len(p.out.Config.Phases) == 0 {
			return -1 // they could not be read, and that has been said
		}
		hint := meant(name, names, "the phases are:")
		if len(names) == 0 {
			hint = "give the phase a name"
		}
		p.at(n, hint, "no phase is called %s", quote(name))
	}
	return at
}

func (p *parser) fault(n *yaml.Node, s *Script) {
	d := faultDraft{Fault: Fault{Pos: p.pos(n)}}
	var given set
	clean := p.clean(func() {
		given = faultSection.read(p, n, &d)
		if d.entry != nil {
			p.suits(n, given, d.entry)
		}
	})
	f := d.Fault
	if i := slices.IndexFunc(s.Faults, func(o Fault) bool { return o.Name == f.Name }); i >= 0 && f.Name != "" {
		p.at(n, fmt.Sprintf("reports tell faults apart by their names; the other begins on line %d",
			s.Faults[i].Line), "two faults are called %s", quote(f.Name))
	}
	if d.entry != nil && f.Name == "" {
		f.Name = string(f.Do) + " " + f.target().Source
	}
	s.Faults = append(s.Faults, f)
	if clean {
		at := len(s.Faults) - 1
		p.later = append(p.later, func() { p.fits(at, &d) })
	}
}

// suits checks that a fault has the keys its action wants, and no others.
func (p *parser) suits(n *yaml.Node, given set, c *catalogEntry) {
	wrongTarget := false
	for _, name := range actionKeys() {
		k := given[name]
		if k == nil || contains(c.keys(), name) {
			continue
		}
		hint := fmt.Sprintf("it belongs to %s", enumerate(wanting(name), "and"))
		if targets(name) && c.target != "" {
			wrongTarget = true
			hint = fmt.Sprintf("%s breaks %q; %q belongs to %s", c.do, c.target, name, enumerate(wanting(name), "and"))
		}
		p.at(k, hint, "%s has no %q", c.do, name)
	}
	if c.target != "" && !given.has(c.target) && !wrongTarget {
		p.at(n, "", "%s needs %q: %s", c.do, c.target, purposes[c.target])
	}
	var chosen []string
	for _, name := range c.oneOf {
		if given.has(name) {
			chosen = append(chosen, name)
		}
	}
	if len(chosen) > 1 {
		p.exclude(given, chosen[0], chosen[1], "fault")
	} else if len(chosen) == 0 && len(c.oneOf) > 0 {
		p.at(n, "", "%s needs one of %s", c.do, enumerate(c.oneOf, "or"))
	}
	if f := given["for"]; f != nil && c.oneWay {
		p.at(f, "remove it: the fault is in force until the run ends", `%s has no "for": nothing undoes it`, c.do)
	}
	for _, name := range c.needs {
		if !given.has(name) {
			p.at(n, "", "%s needs %q: %s", c.do, name, purposes[name])
		}
	}
}

// wanting returns the actions that have a key.
func wanting(name string) (actions []string) {
	for _, c := range catalog {
		if contains(c.keys(), name) {
			actions = append(actions, string(c.do))
		}
	}
	return actions
}

// targets reports whether a key names what some action breaks.
func targets(name string) bool {
	return slices.ContainsFunc(catalog, func(c catalogEntry) bool { return c.target == name })
}

// changes returns what of its target an action changes.
func (a Action) changes() string {
	i := slices.IndexFunc(catalog, func(c catalogEntry) bool { return c.do == a })
	if i < 0 {
		return ""
	}
	return catalog[i].changes
}

// target returns what the fault changes.
func (f *Fault) target() Template {
	for _, t := range []Template{f.Alias, f.Key, f.KeyStore, f.Ledger} {
		if !t.IsZero() {
			return t
		}
	}
	// A command stands for what it changes.
	t := Template{}
	for i, word := range f.Command {
		if i == 0 {
			t.Pos = word.Pos
		} else {
			t.Source, t.Parts = t.Source+" ", append(t.Parts, Part{Text: " "})
		}
		t.Source, t.Parts = t.Source+word.Source, append(t.Parts, word.Parts...)
	}
	return t
}

// span returns when a fault is in force.
func (s *Script) span(f *Fault) (from, to time.Duration) {
	from, to = f.At.Offset, s.lasts()
	if f.At.Phase >= 0 {
		from += s.Config.begin(f.At.Phase)
	}
	if f.For > 0 {
		to = from + f.For
	}
	return from, to
}

// fits checks a fault against the schedule and against the faults before it.
func (p *parser) fits(i int, d *faultDraft) {
	f := &p.out.Faults[i]
	for _, track := range p.out.tracks() {
		for _, ph := range track {
			if ph.Duration == 0 {
				return // a phase has a problem, and no schedule follows from it
			}
		}
	}
	if p.out.lasts() == 0 {
		return // the phases could not be read, and that has been said
	}
	from, to := p.out.span(f)
	end := p.out.lasts()
	switch {
	case from >= end:
		p.at(d.at, "", "the fault begins %s after the run began, and the schedule ends at %s",
			words(from), words(end))
		return
	case to > end:
		p.at(d.forAt, "", "the fault ends %s after the run began, and the schedule ends at %s",
			words(to), words(end))
		return
	}
	for _, x := range f.Expect {
		n := p.there(x.Pos)
		switch {
		case x.Scope == Before && from == 0:
			p.at(n, "let it begin later", "nothing can be expected before a fault with which the run begins")
		case x.Scope == After && f.OneWay:
			p.at(n, `expect it "during" the fault`, "nothing can be expected after a fault that nothing undoes")
		case x.Scope == After && f.For == 0:
			p.at(n, `give the fault a "for"`,
				"nothing can be expected after a fault that lasts until the run ends")
		case x.Scope == After && to == end:
			p.at(n, "let the fault end earlier, or the last phase last longer",
				"nothing can be expected after a fault that ends with the schedule")
		}
	}
	for j := range p.out.Faults[:i] {
		o := &p.out.Faults[j]
		if o.Do.changes() != f.Do.changes() || filled(o.target()) != filled(f.target()) || o.target().IsZero() {
			continue
		}
		if oFrom, oTo := p.out.span(o); from < oTo && oFrom < to {
			p.at(p.there(f.Pos),
				fmt.Sprintf("let one end before the other begins: they last from %s to %s and from %s to %s",
					words(oFrom), words(oTo), words(from), words(to)),
				"this fault overlaps the one at %s: both change %s", o.Pos, quote(f.target().Source))
		}
	}
}

// filled returns a template's text, its remaining holes as written.
func filled(t Template) string {
	var b strings.Builder
	for _, part := range t.Parts {
		b.WriteString(part.Text + part.Var)
	}
	return b.String()
}

var expectationsSection = section[[]Expectation]{
	name:  "expectations",
	about: "What must hold as one fault divides the run: before it, during it, and after it was put back.",
	keys: []key[[]Expectation]{scopeKey(Before, "steady state"),
		scopeKey(During, "while it is broken"), scopeKey(After, "after it was put back")},
}

func scopeKey(scope Scope, doc string) key[[]Expectation] {
	return key[[]Expectation]{string(scope), optional, to("expectation"), doc,
		func(p *parser, n *yaml.Node, all *[]Expectation) {
			x := Expectation{Pos: p.pos(n), Scope: scope, Succeed: -1}
			given := expectationSection.read(p, n, &x)
			if given.has("succeed") && given.has("fail") {
				p.exclude(given, "succeed", "fail", "expectation")
			}
			if w := given["within"]; w != nil {
				switch {
				case scope == Before:
					p.at(w, "", `"within" makes no sense before a fault: nothing has happened yet`)
				case !given.has("succeed", "fail"):
					p.at(w, `"within" is the time until they hold`, `"within" needs "succeed" or "fail"`)
				}
			}
			*all = append(*all, x)
		}}
}

var expectationSection = section[Expectation]{
	name:  "expectation",
	about: "Conditions on the requests of one scope. `succeed` and `fail` exclude one another.",
	keys: append(append([]key[Expectation]{
		{"succeed", optional, shareShape,
			"least share of requests that succeed",
			func(p *parser, n *yaml.Node, x *Expectation) {
				if s, ok := p.share(n); ok {
					x.Succeed = s
				}
			}},
		{"fail", optional, wordOf(failures()...), "the class all requests fail as",
			func(p *parser, n *yaml.Node, x *Expectation) {
				if c, ok := p.failure(n); ok {
					x.Fail = &c
				}
			}},
		{"never", optional, oneOrMore(wordOf(failures()...)), "classes no request fails as",
			func(p *parser, n *yaml.Node, x *Expectation) {
				for _, item := range oneOrList(n) {
					if c, ok := p.failure(item); ok {
						x.Never = append(x.Never, c)
					}
				}
			}},
	}, limitKeys()...), key[Expectation]{"within", optional, durationShape,
		"time until `succeed` or `fail` holds, from the fault or from its verified restore",
		func(p *parser, n *yaml.Node, x *Expectation) {
			x.Within, _ = p.duration(n, "within")
		}}),
}

// failures are the classes of requests that did not succeed.
func failures() []string {
	return slices.DeleteFunc(result.ClassNames(), func(s string) bool { return s == result.OK.String() })
}

func (p *parser) failure(n *yaml.Node) (result.Class, bool) {
	s, ok := p.text(n, "class")
	if !ok {
		return 0, false
	}
	if s == result.OK.String() {
		p.at(n, `write "succeed: 100%"`, "OK is not a way to fail")
		return 0, false
	}
	if _, ok = p.word(n, "class", failures()); !ok {
		return 0, false
	}
	return result.ParseClass(s)
}

// share reads 100%, 99.9% or 0.999.
func (p *parser) share(n *yaml.Node) (float64, bool) {
	s, ok := p.plain(n, "succeed", "a share")
	if !ok {
		return 0, false
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, ok := parseNumber(number)
	if !ok {
		p.bad(n, s, "write 100%, 99.9% or 0.999", "a share")
		return 0, false
	}
	if percent {
		// Shifting the point in the text is exact: 99.9/100 is more than 0.999, and 999 of 1000 less.
		if shifted, ok := parseNumber(strings.TrimSpace(number) + "e-2"); ok {
			f = shifted
		} else {
			f /= 100
		}
	}
	if f < 0 || f > 1 {
		hint := "write a share between 0% and 100%"
		if !percent && f <= 100 {
			hint = fmt.Sprintf("write %s%%", number)
		}
		p.at(n, hint, "%s is not a share", quote(s))
		return 0, false
	}
	return f, true
}

func limitKeys() (keys []key[Expectation]) {
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}} {
		keys = append(keys, key[Expectation]{q.name, optional,
			shape{"a duration with a unit, or a factor: 250ms, 1.2x", textShape.schema},
			"bound of this quantile of the response time; a factor is of the same step's value before the fault",
			func(p *parser, n *yaml.Node, x *Expectation) {
				if l, ok := p.limit(n, x.Scope); ok {
					l.Pos, l.Quantile = p.pos(n), q.q
					x.Limits = append(x.Limits, l)
				}
			}})
	}
	return keys
}

func (p *parser) limit(n *yaml.Node, scope Scope) (l Limit, ok bool) {
	s, ok := p.plain(n, "a limit", "a duration or a factor")
	if !ok {
		return l, false
	}
	const hint = "write 250ms, or 1.2x for a factor of the value before the fault"
	if factor, isFactor := strings.CutSuffix(strings.TrimSpace(s), "x"); isFactor {
		f, ok := parseNumber(factor)
		switch {
		case !ok || f <= 0:
			p.bad(n, s, hint, "a limit")
			return l, false
		case scope == Before:
			p.at(n, "write a duration", "a factor makes no sense before a fault: it is of the value there")
			return l, false
		}
		l.Factor = f
		return l, true
	}
	if _, isNumber := parseNumber(s); isNumber {
		// Elsewhere a bare number means seconds, in Artillery's ensure it means milliseconds.
		p.bad(n, s, fmt.Sprintf("write %sms for milliseconds or %ss for seconds", s, s), "a limit")
		return l, false
	}
	d, ok := parseDuration(s)
	if !ok || d <= 0 || d > year {
		p.bad(n, s, hint, "a limit")
		return l, false
	}
	l.Max = d
	return l, true
}
