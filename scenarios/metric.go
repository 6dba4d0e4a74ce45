package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"loadkms/result"
)

// Metrics are what conditions on a whole run may name. What a run records under these names is the business
// of package verdict, a test of which holds the two together.

// summaries are the last words of the names of what has many values.
var summaries = []string{"min", "max", "mean", "median", "p50", "p75", "p90", "p95", "p99", "p999"}

// timed are the names of times, which end with one of summaries.
var timed = []string{"http.response_time", "http.response_time.1xx", "http.response_time.2xx", "http.response_time.3xx",
	"http.response_time.4xx", "http.response_time.5xx", "http.total", "http.first_byte", "http.dns", "http.tcp", "http.tls",
	"vusers.session_length"}

// counted are the names of single numbers.
var counted = []string{"maxErrorRate", "http.requests", "http.responses", "http.request_rate", "http.downloaded_bytes",
	"vusers.created", "vusers.completed", "vusers.failed", "vusers.skipped",
	"apdex", "apdex.satisfied", "apdex.tolerated", "apdex.frustrated",
	"plugins.apdex.satisfied", "plugins.apdex.tolerated", "plugins.apdex.frustrated",
	"plugins.expect.ok", "plugins.expect.failed"}

// nodeErrors are names Artillery has for errors, beside our classes.
var nodeErrors = []string{"ETIMEDOUT", "ESOCKETTIMEDOUT", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ECONNRESET",
	"EPIPE", "ENOTFOUND", "EAI_AGAIN", "Failed capture or match"}

// endpoint begins the names of what is told of single steps, where Artillery's plugin has it.
const endpoint = "plugins.metrics-by-endpoint."

var metrics = metricNames()

func metricNames() []string {
	names := slices.Clone(counted)
	for _, base := range timed {
		for _, s := range summaries {
			names = append(names, base+"."+s)
		}
	}
	for _, class := range append(failures(), nodeErrors...) {
		names = append(names, "errors."+class)
	}
	return names
}

// Metrics returns the names that config.ensure may use whatever the script, in alphabetical order. Those of
// the statuses of answers, of single steps and of what functions of the processor count come on top.
func Metrics() []string { return slices.Sorted(slices.Values(metrics)) }

// isTime reports whether a metric is a time, in milliseconds.
func isTime(metric string) bool {
	base, stat := cutLast(metric)
	return contains(summaries, stat) && (contains(timed, base) || strings.HasPrefix(base, endpoint+"response_time."))
}

func cutLast(name string) (before, after string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i+1:]
}

// isStatus reports whether s is a status an answer can have.
func isStatus(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 3 && n >= 100
}

// unknownMetric says what is wrong with the name of a metric, and what to do about it; "" if nothing is.
func (p *parser) unknownMetric(name string) (msg, hint string) {
	code, isCode := strings.CutPrefix(name, "http.codes.")
	step, isStep := strings.CutPrefix(name, endpoint)
	switch {
	case contains(metrics, name):
		return "", ""
	case isCode && isStatus(code):
		return "", ""
	case isCode:
		return fmt.Sprintf("%s is not the status of an answer", quote(code)), "write http.codes.503"
	case isStep:
		return p.unknownStep(name, step)
	case p.processor && !ours(name):
		return "", "" // a function may count anything
	}
	msg = fmt.Sprintf("unknown metric %s", quote(name))
	if hint = meant(name, metrics, ""); strings.HasPrefix(hint, "did") {
		return msg, hint
	}
	return msg, "known: " + metricsInShort()
}

// ours reports whether a metric has a name that functions cannot give to what they count.
func ours(name string) bool {
	for _, beginning := range []string{"http.", "vusers.", "plugins.", "apdex."} {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// metricsInShort lists all metrics in a few words.
func metricsInShort() string {
	names := slices.DeleteFunc(slices.Clone(counted), func(m string) bool { return strings.HasPrefix(m, "plugins.apdex.") })
	for _, base := range timed {
		if base, digit := cutLast(base); !strings.HasSuffix(digit, "xx") {
			names = append(names, base+"."+digit+".STAT")
		}
	}
	names = append(names, "http.response_time.2xx.STAT", "http.codes.STATUS", "errors.CLASS",
		endpoint+"response_time.STEP.STAT", endpoint+"STEP.codes.STATUS", endpoint+"STEP.errors.CLASS")
	return enumerate(names, "and") + "; STAT is one of " + strings.Join(summaries, ", ")
}

// unknownStep says what is wrong with the name of a metric of a step, which rest is the end of; "" if nothing is.
func (p *parser) unknownStep(name, rest string) (msg, hint string) {
	var steps []string
	for _, s := range p.out.Scenarios {
		steps = requestsOf(s.Flow, steps)
	}
	if len(steps) == 0 {
		return "", "" // the flows could not be read, and that has been said
	}
	if of, ok := strings.CutPrefix(rest, "response_time."); ok {
		step, stat := cutLast(of)
		switch {
		case !contains(summaries, stat):
			return fmt.Sprintf("unknown metric %s", quote(name)), "it ends with one of " + strings.Join(summaries, ", ")
		case contains(steps, step):
			return "", ""
		}
		return fmt.Sprintf("no request is called %s", quote(step)), meant(step, steps, "the requests are:")
	}
	for _, step := range steps {
		if code, ok := strings.CutPrefix(rest, step+".codes."); ok && isStatus(code) {
			return "", ""
		}
		if class, ok := strings.CutPrefix(rest, step+".errors."); ok && contains(metrics, "errors."+class) {
			return "", ""
		}
	}
	return fmt.Sprintf("unknown metric %s", quote(name)), fmt.Sprintf("write %sresponse_time.STEP.p99, %sSTEP.codes.503 or %sSTEP.errors.%s; "+
		"the requests are: %s", endpoint, endpoint, endpoint, result.Timeout, enumerate(steps, "and"))
}

// requestsOf appends the names of the requests of a flow to names.
func requestsOf(flow []Step, names []string) []string {
	for i := range flow {
		if s := &flow[i]; s.Kind == Request {
			names = append(names, s.Name)
		}
		names = requestsOf(flow[i].Steps, names)
	}
	return names
}
