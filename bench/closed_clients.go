package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// wrk, h2load and bombardier know the closed loop only, one GET, and are what the machine allows.
var (
	wrk = client{
		name: "wrk (C)", tool: "wrk",
		command: func(l load, _ string) ([]string, []string) {
			return []string{"-t", "1", "-c", strconv.Itoa(connections), "-d", seconds(l.lasts) + "s", l.url}, nil
		},
		read: func(_ load, stdout []byte, _ string) (outcome, error) {
			return counted("wrk", stdout, `(\d+) requests in ([\d.]+m?s)`, `Non-2xx or 3xx responses: (\d+)`)
		},
	}
	h2load = client{
		name: "h2load (C)", tool: "h2load",
		command: func(l load, _ string) ([]string, []string) {
			return []string{"--h1", "-t", "1", "-c", strconv.Itoa(connections), "-D", seconds(l.lasts), l.url}, nil
		},
		read: func(l load, stdout []byte, _ string) (outcome, error) {
			o, err := counted("h2load", stdout, `status codes: (\d+) 2xx`, `(\d+) failed`)
			o.took = l.lasts // it says the same
			return o, err
		},
	}
	bombardier = client{
		name: "bombardier", tool: "bombardier",
		command: func(l load, _ string) ([]string, []string) {
			return []string{"-c", strconv.Itoa(connections), "-d", l.lasts.String(), "-l", "-o", "json", "-p", "r", l.url}, nil
		},
		read: func(_ load, stdout []byte, _ string) (outcome, error) {
			var r struct {
				Result struct {
					TimeTakenSeconds                               float64
					Req1xx, Req2xx, Req3xx, Req4xx, Req5xx, Others uint64
					Latency                                        struct{ Percentiles map[string]float64 }
				}
			}
			if err := json.Unmarshal(stdout, &r); err != nil {
				return outcome{}, fmt.Errorf("read what bombardier says: %w", err)
			}
			micros := func(p string) time.Duration { return time.Duration(r.Result.Latency.Percentiles[p] * 1e3) }
			return outcome{
				good: r.Result.Req2xx, bad: r.Result.Req1xx + r.Result.Req3xx + r.Result.Req4xx + r.Result.Req5xx + r.Result.Others,
				took:     time.Duration(r.Result.TimeTakenSeconds * 1e9),
				response: quantiles{P50: micros("50"), P95: micros("95"), P99: micros("99")},
			}, nil
		},
	}
)

// loop is the event loop of loadkms alone, without users, schedule and recording, as a benchmark of its package: what
// the engine costs beyond is the difference.
var loop = client{
	name: "loadkms, loop alone", tool: "loop",
	command: func(l load, _ string) ([]string, []string) {
		// A fixed number, so that the process's CPU time can be divided by it.
		count := fmt.Sprintf("%dx", int(l.lasts.Seconds()*100_000))
		return []string{"-test.run=^$", "-test.bench=^BenchmarkLoopClosed$", "-test.benchtime=" + count}, []string{"LOADKMS_BENCH_URL=" + l.url}
	},
	read: func(_ load, stdout []byte, _ string) (outcome, error) {
		m := regexp.MustCompile(`BenchmarkLoopClosed\S*\s+(\d+)\s+([\d.]+) ns/op`).FindSubmatch(stdout)
		if m == nil {
			return outcome{}, fmt.Errorf("read the benchmark: %s", firstLine(stdout))
		}
		n, err1 := strconv.ParseUint(string(m[1]), 10, 64)
		each, err2 := strconv.ParseFloat(string(m[2]), 64)
		return outcome{good: n, took: time.Duration(float64(n) * each)}, errors.Join(err1, err2)
	},
}

// counted reads a count of answers, how long they took if the pattern has a second group, and a count of bad ones.
func counted(who string, stdout []byte, answers, bad string) (o outcome, err error) {
	m := regexp.MustCompile(answers).FindSubmatch(stdout)
	if m == nil {
		return o, fmt.Errorf("read what %s says: it does not count its answers", who)
	}
	o.good, err = strconv.ParseUint(string(m[1]), 10, 64)
	if len(m) > 2 {
		took, failed := time.ParseDuration(string(m[2]))
		o.took, err = took, errors.Join(err, failed)
	}
	if m := regexp.MustCompile(bad).FindSubmatch(stdout); m != nil {
		n, failed := strconv.ParseUint(string(m[1]), 10, 64)
		o.bad, err = n, errors.Join(err, failed)
	}
	if who == "wrk" {
		o.good -= min(o.good, o.bad) // its count has all
	}
	return o, err
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
