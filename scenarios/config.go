package scenarios

import (
	"fmt"
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
	switch n := p.phasesMissing; {
	case n != nil && !all:
		c.Phases = []Phase{{Pos: p.pos(n), Duration: time.Second, From: 1, To: 1, Scenario: -1}}
		p.note(n, "no phases", "config has no phases, so one virtual user arrives, as in Artillery")
	case n == nil && all && len(c.Phases) > 0:
		p.at(p.there(c.Phases[0].Pos), "remove one or the other", "config has phases, and all scenarios have their own")
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
