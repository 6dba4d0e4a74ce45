package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"loadkms/runner"
	"loadkms/scenarios"
)

// parseFlags are the flags that change how a script is read; run and validate share them.
type parseFlags struct {
	environment string
	target      string
	variables   []string
}

func (f *parseFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.environment, "environment", "e", "", "merge this entry of config.environments over config")
	flags.StringVarP(&f.target, "target", "t", "", `base URL of the API, or "sandbox"; overrides config.target`)
	flags.StringArrayVarP(&f.variables, "variables", "v", nil, `set variables: '{"rate": 100}' or rate=100; may be repeated`)
}

// options returns what scenarios.Load wants.
func (f *parseFlags) options() (scenarios.Options, error) {
	if at := strings.LastIndexByte(f.target, '@'); at >= 0 {
		if u, err := url.Parse(f.target); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return scenarios.Options{}, usage("--target …%s is not a URL", f.target[at:]) // without the password
		}
	}
	o := scenarios.Options{Environment: f.environment, Target: f.target, Variables: map[string]string{}}
	for _, v := range f.variables {
		if strings.HasPrefix(strings.TrimSpace(v), "{") {
			var m map[string]any
			d := json.NewDecoder(strings.NewReader(v))
			d.UseNumber() // 5 stays 5, and a long id keeps its last digits
			if err := d.Decode(&m); err != nil {
				// The value stays unsaid: it may hold a password.
				return o, hint(usage("--variables: not a JSON object: %w", err), "write name=value, or a JSON object")
			}
			for name, value := range m {
				switch value.(type) {
				case string, json.Number, bool:
					o.Variables[name] = fmt.Sprint(value)
				default:
					return o, usage("--variables: %q must be a string, a number or true or false", name)
				}
			}
			continue
		}
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return o, hint(usage("a --variables without a name and a = sets nothing"), "write name=value, or a JSON object")
		}
		o.Variables[name] = value
	}
	return o, nil
}

// printNotes tells the author of an Artillery script what we do saner.
func printNotes(w io.Writer, s *scenarios.Script) {
	for _, n := range s.Notes {
		fmt.Fprintf(w, "%s: note: %s\n", n.Pos, n.Text)
	}
}

// load reads a script and finds everything wrong with it that can be found without sending anything.
func load(name string, o scenarios.Options) (*scenarios.Script, error) {
	script, err := scenarios.Load(name, o)
	if err == nil {
		err = runner.Check(script)
	}
	return script, err
}
