package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"loadkms/result"
)

// A metric is the value of something config.ensure can name.
type metric struct {
	low, high float64 // between which it lies; the same where it is known
	without   float64 // what it would be, at least, without what may be the generator's own doing
}

// A standing says what is known of a metric.
type standing uint8

const (
	recorded standing = iota
	absent            // nothing of that name occurred, which counts as zero
	blank             // there could be values, but there are none
	unknown           // loadkms does not record it
)

// endpoint begins the names of what is told of single steps, which is where Artillery's plugin puts it.
const endpoint = "plugins.metrics-by-endpoint."

// summaries are the last words of the names of durations and of histograms.
var summaries = []string{"min", "max", "mean", "median", "p50", "p75", "p90", "p95", "p99", "p999"}

// Metrics returns the metrics of run that config.ensure can name and that have a value. The names are
// Artillery's; times are milliseconds.
//
//   - http.response_time.STAT, http.response_time.2xx.STAT and so on: from the intended start to the last
//     byte, of all requests of all steps, or of all answers by the first digit of their status. STAT is min,
//     max, mean, median, p50, p75, p90, p95, p99 or p999.
//   - http.total.STAT: from sent to the last byte; http.first_byte.STAT: to the first; http.dns.STAT, http.tcp.STAT,
//     http.tls.STAT: of opening connections
//   - http.requests (sent), http.responses (answered), http.codes.STATUS; redirects that were followed count
//   - http.request_rate: requests per second of the schedule; http.downloaded_bytes
//   - vusers.created, .skipped (dropped arrivals), .failed (users whose flow ended early, at a request that was
//     not good), .completed; vusers.session_length.STAT, of those completed
//   - maxErrorRate: percent of the requests due that were not good, or not answered when the run was over
//   - errors.CLASS: how many requests ended so, 0 included; errors.ETIMEDOUT and the like mean the class
//   - apdex (its score), apdex.satisfied, .tolerated, .frustrated, also after "plugins."
//   - plugins.expect.ok, .failed: requests all of whose checks held, or one of whose did not
//   - plugins.metrics-by-endpoint.response_time.STEP.STAT, .STEP.codes.STATUS, .STEP.errors.CLASS
//   - what the script's functions count: NAME, per second for rates, and NAME.STAT for histograms
func Metrics(run *result.Run) map[string]float64 {
	j := &judge{run: run}
	all := map[string]float64{}
	for _, name := range j.names() {
		if m, s := j.metric(name); s == recorded {
			all[name] = m.high
		}
	}
	return all
}

// names returns the names of all metrics that may have a value.
func (j *judge) names() []string {
	var names []string
	stats := func(base string) {
		for _, s := range summaries {
			names = append(names, base+"."+s)
		}
	}
	for _, base := range durations {
		stats(base)
	}
	for digit := range j.run.StatusResponse {
		stats(responseTime + "." + digit)
	}
	for _, s := range j.run.Steps {
		stats(endpoint + "response_time." + s.Name)
		for code := range s.Statuses {
			names = append(names, "http.codes."+strconv.Itoa(code), fmt.Sprintf("%s%s.codes.%d", endpoint, s.Name, code))
		}
		for c, n := range s.Classes {
			if n > 0 && result.Class(c) != result.OK {
				names = append(names, endpoint+s.Name+".errors."+result.Class(c).String())
			}
		}
	}
	for c := range result.Classes {
		if c != result.OK {
			names = append(names, "errors."+c.String())
		}
	}
	names = append(names, counters...)
	if c := j.run.Custom; c != nil {
		names = slices.AppendSeq(names, maps.Keys(c.Counters))
		names = slices.AppendSeq(names, maps.Keys(c.Rates))
		for name := range c.Histograms {
			stats(name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// spellings returns names, and the beginnings of those that are not listed because they did not occur.
func (j *judge) spellings() []string {
	names := j.names()
	for _, s := range j.run.Steps {
		names = append(names, endpoint+s.Name+".codes.", endpoint+s.Name+".errors.")
	}
	return names
}

const responseTime = "http.response_time"

// durations are the names of what has summaries, without those of single steps and statuses.
var durations = []string{responseTime, "http.total", "http.first_byte", "http.dns", "http.tcp", "http.tls", "vusers.session_length"}

// counters are the names of single numbers.
var counters = []string{
	"http.requests", "http.responses", "http.request_rate", "http.downloaded_bytes", "maxErrorRate",
	"vusers.created", "vusers.skipped", "vusers.failed", "vusers.completed",
	"apdex", "apdex.satisfied", "apdex.tolerated", "apdex.frustrated",
	"plugins.apdex.satisfied", "plugins.apdex.tolerated", "plugins.apdex.frustrated",
	"plugins.expect.ok", "plugins.expect.failed",
}

// metric returns the value of a metric, and what is known of it. One that is absent is zero.
func (j *judge) metric(name string) (metric, standing) {
	if base, stat, ok := cutLast(name); ok && slices.Contains(summaries, stat) {
		if responses, services, ok := j.durations(base); ok {
			m, s := j.duration(responses, services, stat)
			if s == blank && strings.HasSuffix(base, "xx") && len(j.run.StatusResponse) > 0 {
				s = absent // there were answers, and none with such a status
			}
			return m, s
		}
	}
	if m, s := j.counter(name); s != unknown {
		return m, s
	}
	if code, ok := strings.CutPrefix(name, "http.codes."); ok {
		return j.code(j.run.Steps, code)
	}
	if class, ok := strings.CutPrefix(name, "errors."); ok {
		return j.errors(j.counts(), class)
	}
	if rest, ok := strings.CutPrefix(name, endpoint); ok {
		return j.endpoint(rest)
	}
	return j.custom(name)
}

// cutLast cuts name at its last dot.
func cutLast(name string) (before, after string, found bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// counter returns the value of one of counters.
func (j *judge) counter(name string) (metric, standing) {
	c, g := j.counts(), j.run.Generator
	ended := c.Bad() - c[result.Dropped]
	sessions := j.run.Sessions.Completed + j.run.Sessions.Failed
	hops := uint64(0)
	for _, s := range j.run.Steps {
		hops += s.Hops
	}
	requests := c.Total() - c[result.Dropped] - c[result.CaptureFailed] + g.Cut + hops
	switch name {
	case "maxErrorRate":
		if c.Total() == 0 {
			return metric{}, blank
		}
		return j.errorRate(c), recorded
	case "vusers.created":
		return exactly(g.Sent), recorded
	case "vusers.skipped":
		return j.own(result.Counts{result.Dropped: g.Dropped}), recorded
	case "vusers.failed":
		if sessions > 0 {
			return exactly(j.run.Sessions.Failed), recorded
		}
		return exactly(ended), recorded
	case "vusers.completed":
		if sessions > 0 {
			return exactly(j.run.Sessions.Completed), recorded
		}
		return exactly(g.Sent - min(g.Sent, ended+max(g.Cut, g.Unfinished))), recorded
	case "http.requests":
		return exactly(requests), recorded
	case "http.responses":
		return exactly(answers(c) + hops), recorded
	case "http.request_rate":
		return j.perSecond(requests)
	case "http.downloaded_bytes":
		return exactly(j.run.Downloaded), recorded
	case "plugins.expect.ok":
		return exactly(c[result.OK]), recorded
	case "plugins.expect.failed":
		return exactly(c[result.CheckFailed]), recorded
	}
	which, ok := strings.CutPrefix(strings.TrimPrefix(name, "plugins."), "apdex")
	if !ok || name == "plugins.apdex" {
		return metric{}, unknown
	}
	a := j.run.Apdex
	if a == nil {
		a = &result.Apdex{}
	}
	m, s := metric{}, recorded
	switch which {
	case "":
		m = metric{a.Score, a.Score, a.Score}
	case ".satisfied":
		m = exactly(a.Satisfied)
	case ".tolerated":
		m = exactly(a.Tolerated)
	case ".frustrated":
		m = exactly(a.Frustrated)
	default:
		s = unknown
	}
	if s == recorded && a.Satisfied+a.Tolerated+a.Frustrated == 0 {
		s = blank
	}
	return m, s
}

// answers counts the requests of c that were answered.
func answers(c result.Counts) (n uint64) {
	for i := range c {
		if answered(result.Class(i)) {
			n += c[i]
		}
	}
	return n
}

// errorRate returns maxErrorRate.
func (j *judge) errorRate(c result.Counts) metric {
	cut := j.run.Generator.Cut // who got no answer before the run was over was not served
	if j.run.Interrupted != "" {
		cut = 0
	}
	share := 100 * ratio(c.Bad()+cut, c.Total()+cut)
	own := j.mine(c)
	return metric{share, share, 100 * ratio(c.Bad()-own+cut, c.Total()-own+cut)}
}

// perSecond returns n over the length of the schedule, or as much of it as there was.
func (j *judge) perSecond(n uint64) (metric, standing) {
	end := time.Duration(0)
	for _, p := range j.run.Phases {
		end = max(end, p.To)
	}
	if end == 0 || end > j.run.Took {
		end = j.run.Took
	}
	if end <= 0 {
		return metric{}, blank
	}
	rate := float64(n) / end.Seconds()
	return metric{rate, rate, rate}, recorded
}

func exactly(n uint64) metric { return metric{float64(n), float64(n), float64(n)} }

// mine counts the requests of c that may have failed by the generator's own doing.
func (j *judge) mine(c result.Counts) (n uint64) {
	for _, class := range j.excuses {
		n += c[class]
	}
	return n
}

// own returns how many requests c holds.
func (j *judge) own(c result.Counts) metric {
	m := exactly(c.Total())
	m.without -= float64(j.mine(c))
	return m
}

// code returns how many answers of steps had a status. A run that has answers but no status was made by
// something that does not record them.
func (j *judge) code(steps []result.Step, code string) (metric, standing) {
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 {
		return metric{}, unknown
	}
	n, any, c := uint64(0), false, result.Counts{}
	for _, s := range steps {
		n += s.Statuses[status]
		any = any || len(s.Statuses) > 0
		c.Add(s.Classes)
	}
	switch {
	case n > 0:
		return exactly(n), recorded
	case !any && answers(c) > 0:
		return metric{}, blank
	}
	return metric{}, absent
}

// errors returns how many requests of c ended in a class. The set of classes is closed: an error by
// another name did not occur.
func (j *judge) errors(c result.Counts, name string) (metric, standing) {
	class, ok := nodeErrors[name]
	if !ok {
		if class, ok = result.ParseClass(name); !ok || class == result.OK {
			return metric{}, absent
		}
	}
	var only result.Counts
	only[class] = c[class]
	return j.own(only), recorded
}

// nodeErrors are the names Artillery has for classes of ours.
var nodeErrors = map[string]result.Class{
	"ETIMEDOUT": result.Timeout, "ESOCKETTIMEDOUT": result.Timeout,
	"ECONNREFUSED": result.ConnectionRefused, "EHOSTUNREACH": result.ConnectionRefused, "ENETUNREACH": result.ConnectionRefused,
	"ECONNRESET": result.ConnectionReset, "EPIPE": result.ConnectionReset,
	"ENOTFOUND": result.DNS, "EAI_AGAIN": result.DNS,
	"Failed capture or match": result.CheckFailed, // we count failed expectations among them
}

// endpoint returns a counter of one step. Steps of the same name are one.
func (j *judge) endpoint(rest string) (metric, standing) {
	for _, s := range j.run.Steps {
		of, ok := strings.CutPrefix(rest, s.Name+".")
		if !ok {
			continue
		}
		steps := j.called(s.Name)
		if code, ok := strings.CutPrefix(of, "codes."); ok {
			return j.code(steps, code)
		}
		if class, ok := strings.CutPrefix(of, "errors."); ok {
			var c result.Counts
			for _, s := range steps {
				c.Add(s.Classes)
			}
			return j.errors(c, class)
		}
	}
	return metric{}, unknown
}

// called returns the steps of a name.
func (j *judge) called(name string) (steps []result.Step) {
	for _, s := range j.run.Steps {
		if s.Name == name {
			steps = append(steps, s)
		}
	}
	return steps
}

// custom returns what the script's functions recorded. Of a name they may record but have not, nothing has
// occurred; names of our own are not theirs.
func (j *judge) custom(name string) (metric, standing) {
	c := j.run.Custom
	if c == nil {
		c = &result.Custom{}
	}
	if v, ok := c.Counters[name]; ok {
		return metric{v, v, v}, recorded
	}
	if n, ok := c.Rates[name]; ok {
		return j.perSecond(n)
	}
	if base, stat, ok := cutLast(name); ok {
		if h, ok := c.Histograms[base]; ok {
			if v, ok := numbers(h)[stat]; ok {
				return metric{v, v, v}, recorded
			}
		}
	}
	for _, ours := range []string{"http.", "vusers.", "plugins.", "apdex."} {
		if strings.HasPrefix(name, ours) {
			return metric{}, unknown
		}
	}
	if j.script != nil && j.script.Config.Processor != "" {
		return metric{}, absent
	}
	return metric{}, unknown
}

// numbers returns what h says, by the last words of names.
func numbers(h result.Summary) map[string]float64 {
	return map[string]float64{
		"min": h.Min, "max": h.Max, "mean": h.Mean, "median": h.P50, "p50": h.P50, "p75": h.P75,
		"p90": h.P90, "p95": h.P95, "p99": h.P99, "p999": h.P999,
	}
}

// durations returns what the summaries of a name are of, with the same without the time the requests
// waited for the generator, where that is another.
func (j *judge) durations(base string) (all, services []result.Distribution, ok bool) {
	one := func(d result.Distribution) ([]result.Distribution, []result.Distribution, bool) {
		return []result.Distribution{d}, nil, true
	}
	c := j.run.Connections
	switch base {
	case responseTime:
		all, services = responsesOf(j.run.Steps)
		return all, services, true
	case "http.total":
		_, services = responsesOf(j.run.Steps)
		return services, nil, true
	case "http.first_byte":
		for _, s := range j.run.Steps {
			all = append(all, s.FirstByte)
		}
		return all, nil, true
	case "http.dns":
		return one(c.DNS)
	case "http.tcp":
		return one(c.Connect)
	case "http.tls":
		return one(c.TLS)
	case "vusers.session_length":
		return one(j.run.Sessions.Length)
	}
	if digit, ok := strings.CutPrefix(base, responseTime+"."); ok && len(digit) == 3 && digit[0] >= '1' && digit[0] <= '9' && digit[1:] == "xx" {
		return one(j.run.StatusResponse[digit])
	}
	if name, ok := strings.CutPrefix(base, endpoint+"response_time."); ok {
		if steps := j.called(name); len(steps) > 0 {
			all, services = responsesOf(steps)
			return all, services, true
		}
	}
	return nil, nil, false
}

// responsesOf returns the response and service times of steps.
func responsesOf(steps []result.Step) (responses, services []result.Distribution) {
	for _, s := range steps {
		if s.Response.Count > 0 {
			responses, services = append(responses, s.Response), append(services, s.Service)
		}
	}
	return responses, services
}

// duration returns one summary, in milliseconds. What a response time is beyond the service time is the
// generator's lateness, and of a generator that is late all in all, nothing counts.
func (j *judge) duration(all, services []result.Distribution, stat string) (metric, standing) {
	r, ok := summary(all, stat)
	if !ok {
		return metric{}, blank
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	m := metric{low: ms(r.low), high: ms(r.high), without: ms(r.low)}
	if own, ok := summary(services, stat); j.late {
		m.without = 0
	} else if ok && samples(services) == samples(all) {
		m.without = ms(own.high)
	}
	return m, recorded
}

// summary returns what the name says about all values of parts, and false if it says nothing or there
// are none.
func summary(parts []result.Distribution, name string) (bounds, bool) {
	parts = slices.DeleteFunc(slices.Clone(parts), func(d result.Distribution) bool { return d.Count == 0 })
	if len(parts) == 0 {
		return bounds{}, false
	}
	switch name {
	case "min":
		v := slices.MinFunc(parts, func(a, b result.Distribution) int { return cmp.Compare(a.Min, b.Min) }).Min
		return bounds{v, v}, true
	case "mean":
		v := mean(parts)
		return bounds{v, v}, true
	case "max":
		v := quantile(parts, 1).high // the greatest of the greatest
		return bounds{v, v}, true
	case "median":
		return quantile(parts, 0.5), true
	}
	for _, q := range []float64{0.5, 0.75, 0.9, 0.95, 0.99, 0.999} {
		if name == quantileName(q) {
			return quantile(parts, q), true
		}
	}
	return bounds{}, false
}
