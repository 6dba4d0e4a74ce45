package scenarios

import "gopkg.in/yaml.v3"

// pluginsSection is config.plugins. Artillery loads what it names; here it is built in, or is not there.
var pluginsSection = section[Config]{
	name:  "plugins",
	about: "Artillery's plugins. They are built in, and all but apdex always on; what they are told may still mean something.",
	keys: []key[Config]{
		{"expect", optional, orNothing(to("checks")), "checks of answers",
			func(p *parser, n *yaml.Node, _ *Config) {
				var x expectPlugin
				plugin(p, &expectPluginSection, n, &x)
				if x.default200 {
					p.later = append(p.later, func() {
						for i := range p.out.Scenarios {
							expect200(p.out.Scenarios[i].Flow)
						}
					})
				}
			}},
		{"ensure", optional, orNothing(to("ensure")), "the same as `config.ensure`",
			func(p *parser, n *yaml.Node, c *Config) {
				plugin(p, &ensureSection, n, c)
			}},
		{"apdex", optional, orNothing(to("apdex")), "the same as `config.apdex`",
			func(p *parser, n *yaml.Node, c *Config) {
				p.apdex(n, c)
			}},
		{"metrics-by-endpoint", optional, orNothing(to("endpoints")), "results of single steps",
			func(p *parser, n *yaml.Node, _ *Config) {
				plugin(p, &endpointsSection, n, &struct{}{})
			}},
		{"fake-data", optional, orNothing(to("fakes")), "functions such as `$internetEmail()`",
			func(p *parser, n *yaml.Node, _ *Config) {
				plugin(p, &fakeDataSection, n, &struct{}{})
			}},
	},
	refused: []refusal{
		{"publish-metrics", "serve metrics to Prometheus with --metrics, or read run.json when the run is over"},
		{"slack", "call the webhook after loadkms, by its exit code"},
		{"fuzzer", "write what to send into the flow, or into a payload"},
		{"hls", "loadkms plays no streams"},
		{"memory-inspector", "watch the process with the system's own tools"},
	},
}

// plugin reads the options of a plugin, which may be nothing.
func plugin[T any](p *parser, s *section[T], n *yaml.Node, t *T) {
	if !isNull(n) {
		s.read(p, n, t)
	}
}

// expectPlugin is what the plugin expect can be told.
type expectPlugin struct{ default200 bool }

var (
	expectFormats       = []string{"pretty", "json", "prettyError", "silent"}
	expectPluginSection = section[expectPlugin]{
		name:  "checks",
		about: "Options of checks.",
		keys: []key[expectPlugin]{
			{"expectDefault200", optional, truthShape, "whether a request that expects no status expects 200; false unless told",
				func(p *parser, n *yaml.Node, x *expectPlugin) {
					x.default200 = p.truth(n, "expectDefault200")
				}},
			{"reportFailuresAsErrors", optional, truthShape, "only true, as it is anyway: a request whose check fails has failed",
				func(p *parser, n *yaml.Node, _ *expectPlugin) {
					if !p.truth(n, "reportFailuresAsErrors") {
						p.note(n, "reportFailuresAsErrors", "a request whose check fails has failed, whatever reportFailuresAsErrors says")
					}
				}},
			{"outputFormat", optional, wordOf(expectFormats...), "has no meaning: checks are in the report",
				func(p *parser, n *yaml.Node, _ *expectPlugin) {
					p.word(n, "format", expectFormats)
				}},
			{"formatter", optional, wordOf(expectFormats...), "has no meaning: checks are in the report",
				func(p *parser, n *yaml.Node, _ *expectPlugin) {
					p.word(n, "format", expectFormats)
				}},
			{"useOnlyRequestNames", optional, truthShape, "has no meaning: steps go by their names, or by method and URL",
				func(p *parser, n *yaml.Node, _ *expectPlugin) {
					p.truth(n, "useOnlyRequestNames")
				}},
		},
	}
)

// expect200 makes the requests of a flow that expect no status expect 200.
func expect200(flow []Step) {
	for i := range flow {
		s := &flow[i]
		if s.Kind == Request && s.Expect.Status == nil && s.Expect.NotStatus == nil {
			s.Expect.Status = []int{200}
		}
		expect200(s.Steps)
	}
}

// quiet is an option of all plugins that print.
var quiet = key[struct{}]{"suppressOutput", optional, truthShape, "has no meaning: results of steps are in the report",
	func(p *parser, n *yaml.Node, _ *struct{}) {
		p.truth(n, "suppressOutput")
	}}

var endpointsSection = section[struct{}]{
	name:  "endpoints",
	about: "Options of the results of single steps, which are always recorded, by the step's name or else by method and URL as written.",
	keys: append([]key[struct{}]{quiet,
		{"metricsNamespace", optional, wordOf("plugins.metrics-by-endpoint"), "the only one there is",
			func(p *parser, n *yaml.Node, _ *struct{}) {
				if s := p.name(n, "metricsNamespace"); s != "" && s+"." != endpoint {
					p.at(n, "name metrics plugins.metrics-by-endpoint.…", "metricsNamespace cannot be %s", quote(s))
				}
			}}},
		naming("useOnlyRequestNames"), naming("stripQueryString"), naming("ignoreUnnamedRequests"), naming("groupDynamicURLs")),
}

// naming is an option that says how Artillery names what it has of a step.
func naming(name string) key[struct{}] {
	return key[struct{}]{name, optional, truthShape, "has no meaning: steps go by their names, or by method and URL",
		func(p *parser, n *yaml.Node, _ *struct{}) {
			p.truth(n, name)
			p.note(n, "naming", "%s has no meaning: steps go by their names, or else by method and URL as written", name)
		}}
}

var fakeDataSection = section[struct{}]{
	name:  "fakes",
	about: "Options of made-up data.",
	keys: []key[struct{}]{quiet,
		{"locale", optional, wordOf("en"), "only en",
			func(p *parser, n *yaml.Node, _ *struct{}) {
				p.word(n, "locale", []string{"en"})
			}}},
}
