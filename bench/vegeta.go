package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// vegeta is the library, in a program of ours.
var vegeta = client{
	name: "vegeta", tool: "vegeta",
	command: func(l load, _ string) ([]string, []string) {
		workers := l.limit
		if l.rate == 0 {
			workers = connections
		}
		return []string{"-url", l.url, "-rate", strconv.Itoa(l.rate), "-lasts", l.lasts.String(), "-workers", strconv.Itoa(workers), "-local", l.local}, nil
	},
	read: func(l load, stdout []byte, _ string) (outcome, error) {
		var r struct {
			Requests, Good    uint64
			Took              time.Duration
			Latency, Lateness quantiles
			Error             string
		}
		if err := json.Unmarshal(stdout, &r); err != nil {
			return outcome{}, fmt.Errorf("read what vegeta says: %w", err)
		}
		o := outcome{good: r.Good, bad: r.Requests - r.Good, took: r.Took, response: r.Latency, why: strings.TrimSpace(r.Error[strings.LastIndex(r.Error, ": ")+1:])}
		if l.rate > 0 {
			o.late = &r.Lateness
		}
		return o, nil
	},
}
