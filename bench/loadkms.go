package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"loadkms/result"
)

// saturating is a rate of arrivals that nobody serves on one core.
const saturating = 200_000

// loadkms plays bench/*.yaml.
var loadkms = client{
	name: "loadkms", tool: "loadkms",
	command: func(l load, dir string) ([]string, []string) {
		script, rate, users := "plain", l.rate, 50_000
		switch {
		case l.feature == flow:
			script = "flow"
		case l.feature == grid:
			script = "grid"
		case l.limit > 0:
			script = "pool"
		}
		if rate == 0 {
			rate, users = saturating, connections
		}
		set := func(name string, value any) string { return fmt.Sprintf("--variables=%s=%v", name, value) }
		args := []string{
			"run", "--quiet", "--output", filepath.Join(dir, "run"), "--target", l.url, "--seed", "1",
			set("rate", rate), set("seconds", l.lasts.Seconds()), set("users", users),
		}
		if script == "pool" {
			args = append(args, set("pool", l.limit))
		}
		return append(args, "bench/"+script+".yaml"), nil
	},
	read: func(l load, _ []byte, dir string) (outcome, error) {
		run, err := readRun(dir)
		if err != nil {
			return outcome{}, err
		}
		o := outcomeOf(run)
		if l.rate == 0 {
			o.dropped, o.late = 0, nil // by design
		}
		return o, nil
	},
}

// thinkers is loadkms with as many virtual users as l.rate × 10, who arrive within 10 s and think for as long as l.lasts
// has left.
var thinkers = client{
	name: "loadkms", tool: "loadkms", finish: 90 * time.Second,
	command: func(l load, dir string) ([]string, []string) {
		return []string{
			"run", "--quiet", "--output", filepath.Join(dir, "run"), "--target", l.url, "--seed", "1",
			"--variables=rate=" + strconv.Itoa(l.rate), fmt.Sprintf("--variables=think=%v", (l.lasts - arrive).Seconds()),
			fmt.Sprintf("--variables=seconds=%v", arrive.Seconds()), "bench/think.yaml",
		}, nil
	},
	read: func(_ load, _ []byte, dir string) (outcome, error) {
		run, err := readRun(dir)
		if err != nil {
			return outcome{}, err
		}
		return outcomeOf(run), nil
	},
}

// arrive is how long it takes all thinkers to arrive.
const arrive = 10 * time.Second

func readRun(dir string) (*result.Run, error) {
	text, err := os.ReadFile(filepath.Join(dir, "run", "run.json"))
	if err != nil {
		return nil, fmt.Errorf("loadkms left no run.json: %w", err)
	}
	run := new(result.Run)
	if err := json.Unmarshal(text, run); err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	if len(run.Steps) != 1 {
		return nil, errors.New("read run.json: the scripts of the bench have one request each")
	}
	return run, nil
}

func outcomeOf(run *result.Run) outcome {
	step, g := run.Steps[0], run.Generator
	o := outcome{
		good: step.Classes[result.OK], bad: step.Classes.Bad() - step.Classes[result.Dropped], dropped: g.Dropped, took: run.Took,
		late:     &quantiles{g.Lateness.P50, g.Lateness.P95, g.Lateness.P99, g.Lateness.P999},
		response: quantiles{step.Response.P50, step.Response.P95, step.Response.P99, step.Response.P999},
	}
	o.bad += g.Cut
	return o
}
