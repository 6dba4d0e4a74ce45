package scenarios

import (
	"maps"
	"math"
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
	clean := p.clean(func() { given = configSection.read(p, n, c) })
	if p.o.Target != "" {
		if c.Target, c.TargetPos = p.o.Target,
			(Pos{File: "--target"}); c.Target != "sandbox" && !isBaseURL(c.Target) {
			p.add(&Problem{File: "--target", Msg: quote(c.Target) + " is neither sandbox nor a URL",
				Hint: "write sandbox, http://… or https://…"})
		}
	}
	// If something was wrong, it may be the name of the key, and then the file has phases after all.
	if !given.has("phases") && clean {
		c.Phases = []Phase{{Pos: p.pos(n), Duration: time.Second, From: 1, To: 1, Scenario: -1}}
		p.note(n, "no phases", "config has no phases, so one virtual user arrives, as in Artillery")
	}
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
		{"http", optional, to("http"), "tunes the client",
			func(p *parser, n *yaml.Node, c *Config) {
				httpSection.read(p, n, &c.HTTP)
			}},
		{"variables", optional, mapOf("names", either(textShape, listOf(textShape))),
			"names for templates; of a list, every virtual user gets one value",
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
				ensureSection.read(p, n, &c.Ensure)
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
	},
	later: []string{"payload", "plugins", "engines", "tls", "defaults", "timeout", "apdex",
		"engine",
		"statsInterval", "pluginsScope", "includeFiles", "bundling", "sweep", "targets", "objective"},
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

var httpSection = section[HTTP]{
	name:  "http",
	about: "Tunes the client.",
	keys: []key[HTTP]{
		{"timeout", optional, durationShape, "for one request, connecting included; 10s unless told",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Timeout, _ = p.span(n, "timeout")
			}},
		{"defaults", optional, to("defaults"), "what requests have unless their step says otherwise",
			func(p *parser, n *yaml.Node, h *HTTP) {
				defaultsSection.read(p, n, h)
			}},
	},
	later: []string{"pool", "extendedMetrics", "distributedTracing", "cookieJarOptions", "maxSockets"},
}

var defaultsSection = section[HTTP]{
	name:  "defaults",
	about: "What requests have unless their step says otherwise.",
	keys: []key[HTTP]{
		{"headers", optional, mapOf("names", templateShape), "headers of every request",
			func(p *parser, n *yaml.Node, h *HTTP) {
				h.Headers = p.headers(n)
			}},
	},
	later: []string{"cookie", "strictCapture", "think"},
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
				hint := "use letters, digits and _"
				if k.Value == "target" {
					hint = "target always stands for config.target"
				}
				p.at(k, hint, "%s cannot be the name of a variable", quote(k.Value))
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

func (p *parser) readVariable(k, n *yaml.Node) Variable {
	v := Variable{Pos: p.pos(k), Name: k.Value}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.at(n, "", "the list of values of %s is empty", quote(k.Value))
	}
	for _, item := range oneOrList(n) {
		if item.Kind != yaml.ScalarNode || isNull(item) {
			p.at(item, "", "a variable must be a text, a number, true or false, or a list of them, not %s", kind(item))
			continue
		}
		x, ok := scalarValue(item)
		if !ok {
			p.at(item, "", "%s is not a value", quote(item.Value))
		}
		if u, tooLong := x.(uint64); tooLong {
			x = float64(u)
		}
		v.Values, v.Typed = append(v.Values, item.Value), append(v.Typed, x)
	}
	if len(v.Values) == 0 { // a problem has been reported; whoever asks still gets a value
		v.Values, v.Typed = []string{""}, []any{""}
	}
	return v
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

// metrics are the names a threshold may use: those of Artillery that a run records.
var metrics = metricNames()

func metricNames() []string {
	names := []string{"maxErrorRate", "http.requests", "http.responses",
		"vusers.created", "vusers.completed", "vusers.failed", "vusers.skipped"}
	for _, q := range []string{"min", "max", "mean", "median", "p50", "p90", "p95", "p99", "p999"} {
		names = append(names, "http.response_time."+q)
	}
	for _, class := range append(failures(), "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ENOTFOUND") {
		names = append(names, "errors."+class)
	}
	return names
}

// metricsLater begin the names of metrics of Artillery's that a run does not record yet.
var metricsLater = []string{"http.codes.", "http.request_rate", "http.downloaded_bytes",
	"vusers.session_length", "plugins."}

// threshold reads one condition.
func (p *parser) threshold(k, n *yaml.Node, metric string, inclusive bool) (Threshold, bool) {
	t := Threshold{Pos: p.pos(k), Metric: metric, Inclusive: inclusive}
	s, ok := p.text(n, metric)
	if !ok {
		return t, false
	}
	f, ok := parseNumber(strings.TrimSuffix(s, "%"))
	switch {
	case ok && (!strings.HasSuffix(s, "%") || metric == "maxErrorRate"):
		t.Max = f
	case strings.HasPrefix(metric, "http.response_time."):
		d, ok := parseDuration(s)
		if !ok {
			p.bad(n, s, "write 250 or 250ms", "a number of milliseconds or a duration")
			return t, false
		}
		t.Max = float64(d) / float64(time.Millisecond)
	default:
		p.bad(n, s, "", "a number")
		return t, false
	}
	if t.Max < 0 || math.IsNaN(t.Max) {
		p.at(n, "", "%s must not be negative", metric)
		return t, false
	}
	return t, true
}

// legacy is a condition of Artillery's older form, which the bound itself still meets.
func legacy(name, metric string, s shape, doc string) key[[]Threshold] {
	return key[[]Threshold]{name, optional, s, doc,
		func(p *parser, n *yaml.Node, all *[]Threshold) {
			if t, ok := p.threshold(n, n, metric, true); ok {
				*all = append(*all, t)
			}
		}}
}

var ensureSection = section[[]Threshold]{
	name:  "ensure",
	about: "Conditions on the whole run.",
	keys: []key[[]Threshold]{
		legacy("maxErrorRate", "maxErrorRate", percentShape, "most percent of requests that may fail"),
		legacy("min", "http.response_time.min", boundShape, "bound of the shortest response time"),
		legacy("max", "http.response_time.max", boundShape, "bound of the longest response time"),
		legacy("median", "http.response_time.median", boundShape, "bound of the median response time"),
		legacy("p50", "http.response_time.p50", boundShape, "bound of the median response time"),
		legacy("p95", "http.response_time.p95", boundShape, "bound of the 95th percentile"),
		legacy("p99", "http.response_time.p99", boundShape, "bound of the 99th percentile"),
		{"thresholds", optional, listOf(mapOf("metrics", shape{"a number, or a duration", either(percentShape, boundShape).schema})),
			"metrics that must stay below a bound", func(p *parser, n *yaml.Node, all *[]Threshold) {
				for _, item := range p.list(n, "thresholds") {
					p.thresholds(item, all)
				}
			}},
	},
	later: []string{"conditions"},
}

func (p *parser) thresholds(n *yaml.Node, all *[]Threshold) {
	if n.Kind != yaml.MappingNode {
		p.at(n, `write "- http.response_time.p99: 250"`,
			"a threshold must be a mapping from a metric to its bound, not %s", kind(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if slices.ContainsFunc(metricsLater,
			func(m string) bool { return strings.HasPrefix(k.Value, m) }) {
			p.at(k, "", "the metric %s is not supported yet", quote(k.Value))
			continue
		}
		if !contains(metrics, k.Value) {
			hint := meant(k.Value, metrics, "")
			if !strings.HasPrefix(hint, "did") { // one line for two dozen classes
				hint = "known: " + enumerate(append(slices.DeleteFunc(slices.Clone(metrics),
					func(m string) bool {
						return strings.HasPrefix(m, "errors.")
					}), "errors.CLASS"), "and")
			}
			p.at(k, hint, "unknown metric %s", quote(k.Value))
			continue
		}
		if t, ok := p.threshold(k, v, k.Value, k.Value == "maxErrorRate"); ok {
			*all = append(*all, t)
		}
	}
}
