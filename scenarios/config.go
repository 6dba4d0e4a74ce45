package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"loadkms/result"
)

const (
	defaultDrain    = 30 * time.Second // thrice the default timeout of a request
	defaultTimeout  = 10 * time.Second // Artillery's
	defaultMaxUsers = 10_000           // some 80 MB of connections and buffers
	// Goroutines on a healthy machine are 1 to 2 ms late at p99; 10 ms is far from that, and still
	// below what a person notices.
	defaultMaxLateness = 10 * time.Millisecond
	mostUsers          = 1_000_000
)

func (p *parser) config(n *yaml.Node, c *Config) {
	c.Drain, c.MaxUsers, c.HTTP.Timeout, c.MaxLateness = defaultDrain, defaultMaxUsers, defaultTimeout, defaultMaxLateness
	var given set
	clean := p.clean(func() {
		given = configSection.read(p, n, c)
		p.once(n, "timeout")
		p.once(n, "defaults")
	})
	if p.o.Target != "" {
		if c.Target, c.TargetPos = p.o.Target,
			(Pos{File: "--target"}); c.Target != "sandbox" && !isBaseURL(c.Target) {
			p.add(&Problem{File: "--target", Msg: quote(c.Target) + " is neither sandbox nor a URL",
				Hint: "write sandbox, http://… or https://…"})
		}
	}
	if p.o.Payload != "" && !given.has("payload") && clean {
		p.add(&Problem{File: "-p", Msg: "the script has no payload whose file could be another",
			Hint: "say in config.payload what its columns are"})
	}
	if p.o.Insecure {
		c.TLS.Insecure = true
	}
	// If something was wrong, it may be the name of the key, and then the file has phases after all.
	if !given.has("phases") && clean {
		p.phasesMissing = n
	}
}

// defaultPhases sees to it that virtual users arrive if config has no phases, unless all scenarios have their own.
func (p *parser) defaultPhases() {
	own := 0
	for i := range p.out.Scenarios {
		if len(p.out.Scenarios[i].Phases) > 0 {
			own++
		}
	}
	c := &p.out.Config
	all := own > 0 && own == len(p.out.Scenarios)
	if n := p.phasesMissing; n != nil && !all {
		c.Phases = []Phase{{Pos: p.pos(n), Duration: time.Second, From: 1, To: 1, Scenario: -1}}
		p.note(n, "no phases", "config has no phases, so one virtual user arrives, as in Artillery")
	}
}

// once reports a key that config has twice, in its place in http and in Artillery's older one.
func (p *parser) once(config *yaml.Node, key string) {
	http := lookup(config, "http")
	i, j := indexOf(config, key), indexOf(http, key)
	if i < 0 || j < 0 {
		return
	}
	older, present := config.Content[i], http.Content[j]
	p.at(older, fmt.Sprintf("remove it; the other is on %s", p.line(present)), "%s is set in config and in http", quote(key))
}

var configSection = section[Config]{
	name:  "config",
	about: "Everything but flows and faults.",
	keys: []key[Config]{
		{"target", optional, either(wordOf("sandbox"), shape{"a URL", map[string]any{"type": "string"}}),
			"where the API is; `--target` overrides it", func(p *parser, n *yaml.Node, c *Config) {
				s, ok := p.text(n, "target")
				if ok && s != "sandbox" && !isBaseURL(s) {
					hint := "write sandbox, http://… or https://…"
					if suggest(s, []string{"sandbox"}) != "" {
						hint = `did you mean "sandbox"?`
					}
					p.bad(n, s, hint, "a target")
				}
				c.Target, c.TargetPos = s, p.pos(n)
			}},
		{"aws", optional, to("aws"), "which AWS the faults change",
			func(p *parser, n *yaml.Node, c *Config) {
				c.AWS.Pos = p.pos(n)
				awsSection.read(p, n, &c.AWS)
			}},
		{"sandbox", optional, to("sandbox"), "tunes the embedded sandbox",
			func(p *parser, n *yaml.Node, c *Config) {
				c.Sandbox.Pos = p.pos(n)
				sandboxSection.read(p, n, &c.Sandbox)
			}},
		{"mode", optional, wordOf(modes...),
			"whether the gaps between arrivals are even (unless told), or exponential with the same mean",
			func(p *parser, n *yaml.Node, _ *Config) {
				mode, _ := p.word(n, "mode", modes)
				p.poisson = mode == "poisson"
			}},
		{"phases", optional, listOf(to("phase")), "how many virtual users arrive, and when",
			func(p *parser, n *yaml.Node, c *Config) {
				c.Phases = p.phases(n, -1)
			}},
		{"payload", optional, oneOrMore(to("payload")), "CSV files whose rows become variables of virtual users",
			func(p *parser, n *yaml.Node, c *Config) {
				p.payloads(n, c)
			}},
		{"http", optional, to("http"), "tunes the client",
			func(p *parser, n *yaml.Node, c *Config) {
				p.http(n, &c.HTTP)
			}},
		{"defaults", optional, to("defaults"), "the same as `http.defaults`, in Artillery's older form",
			func(p *parser, n *yaml.Node, c *Config) {
				defaultsSection.read(p, n, &c.HTTP)
			}},
		{"timeout", optional, durationShape, "the same as `http.timeout`, in Artillery's older form",
			func(p *parser, n *yaml.Node, c *Config) {
				c.HTTP.Timeout, _ = p.span(n, "timeout")
			}},
		{"tls", optional, to("tls"), "tunes secure connections",
			func(p *parser, n *yaml.Node, c *Config) {
				p.tls(n, &c.TLS)
			}},
		{"variables", optional, mapOf("names", anyShape),
			"names for templates; of a list, every virtual user gets one item",
			func(*parser, *yaml.Node, *Config) {
				// They are read before all else, because the values of other keys may have holes for them.
			}},
		{"environments", optional, mapOf("names", to("config")),
			"parts of config to merge over it with `-e NAME`; mappings are merged, lists and values replaced",
			func(*parser, *yaml.Node, *Config) {
				// The chosen one has been merged; the others are checked one by one.
			}},
		{"processor", optional, textShape, "a JavaScript file with functions, relative to the script",
			func(p *parser, n *yaml.Node, c *Config) {
				s, ok := p.text(n, "processor")
				if ok && !strings.HasSuffix(s, ".js") && !strings.HasSuffix(s, ".cjs") {
					if strings.HasSuffix(s, ".ts") || strings.HasSuffix(s, ".mjs") {
						p.at(n, "", "processors that are modules or TypeScript are not supported yet")
					} else {
						p.bad(n, s, "it ends with .js", "a JavaScript file")
					}
				}
				c.Processor, c.ProcPos = s, p.pos(n)
			}},
		{"classify", optional, listOf(to("rule")),
			"rules that give answers a class, tried before the built-in ones",
			func(p *parser, n *yaml.Node, c *Config) {
				for _, item := range p.list(n, "classify") {
					c.Classify = append(c.Classify, p.classRule(item))
				}
			}},
		{"ensure", optional, to("ensure"), "conditions on the whole run",
			func(p *parser, n *yaml.Node, c *Config) {
				ensureSection.read(p, n, c)
			}},
		{"apdex", optional, orNothing(to("apdex")), "counts how satisfied users are with response times",
			func(p *parser, n *yaml.Node, c *Config) {
				p.apdex(n, c)
			}},
		{"plugins", optional, to("plugins"), "Artillery's plugins, which are built in here",
			func(p *parser, n *yaml.Node, c *Config) {
				pluginsSection.read(p, n, c)
			}},
		{"drain", optional, durationShape,
			"how long answers may take after the last arrival; 30s unless told",
			func(p *parser, n *yaml.Node, c *Config) {
				c.Drain, _ = p.duration(n, "drain")
			}},
		{"maxLateness", optional, durationShape,
			"lateness of the generator, at p99, beyond which a run proves nothing; 10ms unless told",
			func(p *parser, n *yaml.Node, c *Config) {
				c.MaxLateness, _ = p.duration(n, "maxLateness")
			}},
		{"maxVusers", optional, wholeShape, "virtual users alive at once; 10000 unless told",
			func(p *parser, n *yaml.Node, c *Config) {
				c.MaxUsers, _ = p.whole(n, "maxVusers", 1, mostUsers)
			}},
		{"engine", optional, wordOf(engines...), "the only engine there is",
			func(p *parser, n *yaml.Node, _ *Config) {
				p.word(n, "engine", engines)
			}},
		{"engines", optional, to("engines"), "settings of engines, of which http takes none",
			func(p *parser, n *yaml.Node, _ *Config) {
				enginesSection.read(p, n, &struct{}{})
			}},
		{"statsInterval", optional, durationShape, "has no meaning: results are kept by the second",
			func(p *parser, n *yaml.Node, _ *Config) {
				if _, ok := p.span(n, "statsInterval"); ok {
					p.note(n, "statsInterval", "statsInterval has no meaning: results are kept by the second; Artillery ignores it, too")
				}
			}},
		{"pluginsScope", optional, textShape, "has no meaning: plugins are built in",
			func(p *parser, n *yaml.Node, _ *Config) {
				p.name(n, "pluginsScope")
				p.note(n, "pluginsScope", "pluginsScope has no meaning: plugins are built in")
			}},
		{"includeFiles", optional, oneOrMore(textShape), "has no meaning: files are read where they are",
			func(p *parser, n *yaml.Node, _ *Config) {
				for _, item := range oneOrList(n) {
					p.name(item, "a file")
				}
				p.note(n, "includeFiles", "includeFiles has no meaning: files are read where they are, and nothing is sent to other machines")
			}},
		{"bundling", optional, anyShape, "has no meaning: the processor is not bundled",
			func(p *parser, n *yaml.Node, _ *Config) {
				p.note(n, "bundling", "bundling has no meaning: the processor is not bundled")
			}},
	},
	later: []string{"sweep", "targets", "objective"},
}

var engines = []string{"http"}

var enginesSection = section[struct{}]{
	name:  "engines",
	about: "Settings of engines.",
	keys: []key[struct{}]{
		{"http", optional, mapOf("names", anyShape), "takes none: config.http tunes the client",
			func(p *parser, n *yaml.Node, _ *struct{}) {
				if len(n.Content) > 0 {
					p.at(n.Content[0], "config.http tunes the client", "the engine http has no settings here")
				} else if !isNull(n) && n.Kind != yaml.MappingNode {
					p.at(n, "", "http must be a mapping, not %s", kind(n))
				}
			}},
	},
	refused: []refusal{
		{"ws", "loadkms speaks HTTP only"},
		{"socketio", "loadkms speaks HTTP only"},
		{"socketio-v3", "loadkms speaks HTTP only"},
		{"playwright", "loadkms drives no browsers"},
	},
}

var awsSection = section[AWS]{
	name:  "aws",
	about: "Which AWS the faults change.",
	keys: []key[AWS]{
		{"region", optional, textShape, "the region; the SDK's default chain decides unless told",
			func(p *parser, n *yaml.Node, a *AWS) {
				a.Region = p.name(n, "region")
			}},
		{"endpoint", optional, textShape, "a URL instead of AWS itself",
			func(p *parser, n *yaml.Node, a *AWS) {
				a.Endpoint = p.baseURL(n, "endpoint")
			}},
		{"stack", optional, textShape, "the CloudFormation stack whose outputs are `{{ stack.NAME }}`",
			func(p *parser, n *yaml.Node, a *AWS) {
				a.Stack = p.name(n, "stack")
			}},
		{"ledger", optional, textShape, "the QLDB ledger to watch while faults are in force",
			func(p *parser, n *yaml.Node, a *AWS) {
				a.Ledger = p.name(n, "ledger")
			}},
	},
}

var aliasModes = []string{"follow", "pinned"}

var sandboxSection = section[Sandbox]{
	name:  "sandbox",
	about: "Tunes the embedded sandbox. Durations are sandbox time: at speed 60, 4m pass in 4 seconds.",
	keys: []key[Sandbox]{
		{"speed", optional, numberShape, "sandbox seconds per second; 1 unless told",
			func(p *parser, n *yaml.Node, s *Sandbox) {
				var ok bool
				if s.Speed, ok = p.number(n, "speed"); ok && (s.Speed == 0 || s.Speed > 1e6) {
					p.at(n, "", "speed must be more than 0 and at most a million")
				}
			}},
		{"alias", optional, wordOf(aliasModes...),
			"whether the ledger follows its alias to another key, or pins the key",
			func(p *parser, n *yaml.Node, s *Sandbox) {
				s.Alias, _ = p.word(n, "alias mode", aliasModes)
			}},
		{"keyCache", optional, durationShape, "how long the ledger keeps a decrypted key",
			func(p *parser, n *yaml.Node, s *Sandbox) {
				s.KeyCache, _ = p.span(n, "keyCache")
			}},
		{"recoveryProbe", optional, durationShape, "how often the ledger looks whether its key is back",
			func(p *parser, n *yaml.Node, s *Sandbox) {
				s.RecoveryProbe, _ = p.span(n, "recoveryProbe")
			}},
		{"ledgerUpdate", optional, durationShape, "how long the ledger takes to change its key",
			func(p *parser, n *yaml.Node, s *Sandbox) {
				s.LedgerUpdate, _ = p.span(n, "ledgerUpdate")
			}},
	},
	later: []string{"driver", "dataDir", "data-dir", "kmsEndpoint"},
}

// readVariables reads config.variables and what the command line sets over them.
func (p *parser) readVariables(config *yaml.Node) {
	n := lookup(config, "variables")
	c := &p.out.Config
	if n != nil && n.Kind != yaml.MappingNode {
		p.at(n, "", "variables must be a mapping from names to values, not %s", kind(n))
	} else if n != nil {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if !nameForm.MatchString(k.Value) || k.Value == "target" {
				p.badVariable(k, k.Value)
				continue
			}
			c.Variables = append(c.Variables, p.readVariable(k, v))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.o.Variables)) {
		text := p.o.Variables[name]
		v := Variable{Pos: p.pos(config), Name: name, Values: []string{text}, Typed: []any{typed(text)}}
		if i := slices.IndexFunc(c.Variables, func(v Variable) bool { return v.Name == name }); i >= 0 {
			v.Pos = c.Variables[i].Pos
			c.Variables[i] = v
		} else {
			c.Variables = append(c.Variables, v)
		}
	}
	for i := range c.Variables {
		p.variables[c.Variables[i].Name] = &c.Variables[i]
	}
}

// badVariable reports a name that a variable cannot have.
func (p *parser) badVariable(n *yaml.Node, name string) {
	hint := "use letters, digits and _"
	if name == "target" {
		hint = "target always stands for config.target"
	}
	p.at(n, hint, "%s cannot be the name of a variable", quote(name))
}

func (p *parser) readVariable(k, n *yaml.Node) Variable {
	v := Variable{Pos: p.pos(k), Name: k.Value}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.at(n, "", "the list of values of %s is empty", quote(k.Value))
	}
	for _, item := range oneOrList(n) {
		if isNull(item) {
			p.at(item, "", "a variable must have a value, and this is nothing")
			continue
		}
		text, x := p.plainValue(item)
		v.Values, v.Typed = append(v.Values, text), append(v.Typed, x)
	}
	if len(v.Values) == 0 { // a problem has been reported; whoever asks still gets a value
		v.Values, v.Typed = []string{""}, []any{""}
	}
	return v
}

// plainValue returns a value of the script as text, and as what it is: string, int64, float64, bool, nil, []any
// or map[string]any. The text of a list and of a mapping is JSON.
func (p *parser) plainValue(n *yaml.Node) (string, any) {
	x := p.anyValue(n)
	if n.Kind == yaml.ScalarNode {
		return n.Value, x
	}
	b, err := json.Marshal(x)
	if err != nil { // a number JSON does not have
		p.at(n, "put it in quotes if it is a text", "%s holds a number that JSON does not have", kind(n))
	}
	return string(b), x
}

func (p *parser) anyValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = p.anyValue(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, p.anyValue(c))
		}
		return list
	}
	if isNull(n) {
		return nil
	}
	x, ok := scalarValue(n)
	if !ok {
		p.at(n, "", "%s is not a value", quote(n.Value))
	}
	if u, tooLong := x.(uint64); tooLong {
		return float64(u)
	}
	return x
}

// typed returns what YAML makes of a text without quotes.
func typed(text string) any {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	n.Tag = n.ShortTag()
	v, ok := scalarValue(n)
	if u, tooLong := v.(uint64); ok && tooLong {
		return float64(u)
	}
	if !ok {
		return text
	}
	return v
}

func (p *parser) classRule(n *yaml.Node) ClassRule {
	r := ClassRule{Pos: p.pos(n)}
	if given := classifySection.read(p, n, &r); len(given) > 0 && !given.has("statusCode", "contains") {
		p.at(n, "", `a rule needs "statusCode", "contains" or both`)
	}
	return r
}

// answerClasses are those a rule can give to an answer.
var answerClasses = []string{result.OK.String(), result.KeyInaccessible.String(),
	result.AccessDenied.String(),
	result.KeyDisabled.String(), result.KeyPendingDeletion.String(), result.Throttled.String(),
	result.NotFound.String(),
	result.ClientError.String(), result.ServerError.String()}

var classifySection = section[ClassRule]{
	name:  "rule",
	about: "A rule that gives answers a class. All its conditions must hold; the first rule that matches wins.",
	keys: []key[ClassRule]{
		{"class", required, wordOf(answerClasses...), "the class",
			func(p *parser, n *yaml.Node, r *ClassRule) {
				name, _ := p.word(n, "class", answerClasses)
				r.Class, _ = result.ParseClass(name)
			}},
		{"statusCode", optional, oneOrMore(wholeShape), "the status, or several",
			func(p *parser, n *yaml.Node, r *ClassRule) {
				r.Status = p.statuses(n)
			}},
		{"contains", optional, textShape, "what the body contains",
			func(p *parser, n *yaml.Node, r *ClassRule) {
				r.Contains = p.name(n, "contains")
			}},
	},
}

// statuses reads one status or a list of them.
func (p *parser) statuses(n *yaml.Node) (codes []int) {
	items := oneOrList(n)
	if len(items) == 0 {
		p.at(n, "", "the list of statuses is empty")
	}
	for _, item := range items {
		code, ok := p.whole(item, "a status", 100, 599)
		if ok {
			codes = append(codes, code)
		}
	}
	return codes
}
