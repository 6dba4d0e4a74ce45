// Command vegeta attacks one URL with vegeta's library and prints what the library measured as JSON. The command
// line of vegeta also writes every result to a stream, which costs it half of its rate; the library is the
// fairer peer. loadkms itself takes only vegeta's pacing.
//
// vegeta has no lateness. It numbers its hits, though, and its pacer wants hit n at (n + 1) ÷ rate, so that the
// lateness is known all the same: it is printed beside vegeta's own figures, which begin where the hit did.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func main() {
	if err := attack(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "vegeta: %v\n", err)
		os.Exit(1)
	}
}

// A report is what is printed; times are in nanoseconds.
type report struct {
	Requests uint64
	Good     uint64        // answered with 2xx or 3xx
	Took     time.Duration // from the beginning to the last answer
	Latency  quantiles     // vegeta's own
	Lateness quantiles     // zero if the rate is not limited
	Error    string        // the first kind of error there was
}

type quantiles struct{ P50, P95, P99, P999, Max time.Duration }

func quantilesOf(l *vegeta.LatencyMetrics) quantiles {
	if l.Max == 0 {
		return quantiles{} // nothing was added
	}
	q := func(nth float64) time.Duration { return max(l.Quantile(nth), 0) }
	return quantiles{q(0.5), q(0.95), q(0.99), q(0.999), l.Max}
}

// attack blocks until the attack is over and its last answer has come.
func attack(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("vegeta", flag.ContinueOnError)
	url := flags.String("url", "", "what to GET")
	rate := flags.Int("rate", 0, "hits a second; 0: as many as the workers can")
	lasts := flags.Duration("lasts", 5*time.Second, "how long")
	workers := flags.Uint64("workers", 0, "most workers; 0: without limit")
	local := flags.String("local", "0.0.0.0", "the address to send from")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *url == "" {
		return errors.New("-url is missing")
	}
	from := net.ParseIP(*local)
	if from == nil {
		return fmt.Errorf("-local: %q is not an IP address", *local)
	}
	options := []func(*vegeta.Attacker){vegeta.Timeout(10 * time.Second), vegeta.LocalAddr(net.IPAddr{IP: from})}
	if *workers > 0 {
		options = append(options, vegeta.Workers(*workers), vegeta.MaxWorkers(*workers))
	}
	pacer := vegeta.Rate{Freq: *rate, Per: time.Second}
	targeter := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: *url})

	var metrics vegeta.Metrics
	var lateness vegeta.LatencyMetrics
	began := time.Now()
	for hit := range vegeta.NewAttacker(options...).Attack(targeter, pacer, *lasts, "") {
		metrics.Add(hit)
		if *rate > 0 {
			intended := time.Duration(float64(hit.Seq+1) / float64(*rate) * 1e9)
			lateness.Add(max(hit.Timestamp.Sub(began)-intended, 1)) // nothing is earlier than it was meant to be
		}
	}
	metrics.Close()
	r := report{
		Requests: metrics.Requests, Took: metrics.End.Sub(began),
		Latency: quantilesOf(&metrics.Latencies), Lateness: quantilesOf(&lateness),
	}
	for code, n := range metrics.StatusCodes {
		if code[0] == '2' || code[0] == '3' {
			r.Good += uint64(n)
		}
	}
	if len(metrics.Errors) > 0 {
		r.Error = metrics.Errors[0]
	}
	return json.NewEncoder(stdout).Encode(r)
}
