package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
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
	inputs      []string
	config      string
	overrides   string
	payload     string
	scenario    string
	solo        bool
	insecure    bool
	envFile     string

	cmd *cobra.Command // for the flags that are foreign
}

func (f *parseFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.cmd = cmd
	flags.StringVarP(&f.environment, "environment", "e", "", "merge this entry of config.environments over config")
	flags.StringVarP(&f.target, "target", "t", "", `base URL of the API, or "sandbox"; overrides config.target`)
	flags.StringArrayVarP(&f.variables, "variables", "v", nil, `set variables: '{"rate": 100}' or rate=100; may be repeated`)
	flags.StringArrayVarP(&f.inputs, "input", "i", nil, "merge this file over SCRIPT; may be repeated")
	flags.StringVarP(&f.config, "config", "c", "", "merge this file over SCRIPT and its --input files; a processor it names is beside it")
	flags.StringVar(&f.overrides, "overrides", "", `merge this JSON over all that: '{"config": {"phases": [{"duration": 5, "arrivalRate": 1}]}}'`)
	flags.StringVarP(&f.payload, "payload", "p", "", "CSV file, in place of the path of config.payload")
	flags.StringVar(&f.scenario, "scenario-name", "", "play only the scenario of this name, or whose name matches this regular expression")
	flags.BoolVarP(&f.solo, "solo", "s", false, "let one virtual user arrive, and break nothing")
	flags.BoolVarP(&f.insecure, "insecure", "k", false, "do not verify the certificates of the API")
	flags.StringVar(&f.envFile, "env-file", "", "file of NAME=value lines, variables of the process that are not set yet")
	flags.StringVar(&f.envFile, "dotenv", "", "the same as --env-file")
	hide := []string{"dotenv"}
	for _, x := range foreign {
		if x.value {
			flags.String(x.name, "", x.why)
		} else {
			flags.Bool(x.name, false, x.why)
		}
		hide = append(hide, x.name)
	}
	for _, name := range hide {
		if err := flags.MarkHidden(name); err != nil {
			panic(err) // it has just been added
		}
	}
}

// A foreignFlag is one of Artillery's for which there is nothing here.
type foreignFlag struct {
	name  string
	value bool   // it takes one
	same  string // the value that means what loadkms does anyway; "" means none
	mute  bool   // it only labels a run, and is let pass
	why   string
}

var foreign = []foreignFlag{
	{name: "record", why: "results stay on this machine, in the output folder"},
	{name: "key", value: true, why: "results stay on this machine, in the output folder"},
	{name: "platform", value: true, same: "local", why: "the load comes from this machine; run loadkms on others for more"},
	{name: "platform-opt", value: true, why: "the load comes from this machine; run loadkms on others for more"},
	{name: "count", value: true, same: "1", why: "one process uses all processors; run loadkms on other machines for more"},
	{name: "tags", value: true, mute: true, why: "nothing is recorded elsewhere that could be labeled"},
	{name: "note", value: true, mute: true, why: "nothing is recorded elsewhere that could be labeled"},
	{name: "name", value: true, mute: true, why: "nothing is recorded elsewhere that could be labeled; --output names the folder of a run"},
}

// foreigners refuses flags of Artillery's that would do something else, and returns notes about those that do nothing.
func (f *parseFlags) foreigners() (notes []scenarios.Note, err error) {
	for _, x := range foreign {
		switch set := f.cmd.Flags().Lookup(x.name); {
		case set == nil || !set.Changed || set.Value.String() == x.same || set.Value.String() == "false":
		case x.mute:
			notes = append(notes, scenarios.Note{Pos: scenarios.Pos{File: "--" + x.name}, Text: "this has no meaning: " + x.why})
		default:
			return nil, hint(usage("--%s is not supported", x.name), "%s", x.why) // its value may be a key
		}
	}
	return notes, nil
}

// options returns what scenarios.Load wants for the script called name.
func (f *parseFlags) options(name string) (scenarios.Options, error) {
	if at := strings.LastIndexByte(f.target, '@'); at >= 0 {
		if u, err := url.Parse(f.target); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return scenarios.Options{}, usage("--target …%s is not a URL", f.target[at:]) // without the password
		}
	}
	o := scenarios.Options{
		Environment: f.environment, Target: f.target, Variables: map[string]string{}, Overrides: f.overrides,
		Scenario: f.scenario, Solo: f.solo, Insecure: f.insecure, Env: os.LookupEnv,
	}
	if f.payload != "" {
		o.Payload = scenarios.Beside(f.payload, name)
	}
	if f.envFile != "" {
		if err := loadEnv(f.envFile); err != nil {
			return o, err
		}
	}
	for _, file := range f.inputs {
		if err := over(&o, "--input", file); err != nil {
			return o, err
		}
	}
	if f.config != "" {
		if err := over(&o, "--config", f.config); err != nil {
			return o, err
		}
	}
	return o, f.setVariables(&o)
}

// over adds a file that is merged over the script.
func over(o *scenarios.Options, flag, file string) error {
	text, err := os.ReadFile(file)
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	if err != nil {
		return usage("%s %s: %w", flag, file, err)
	}
	o.Over = append(o.Over, scenarios.Text{File: file, Text: text, Processor: flag == "--config"})
	return nil
}

// setVariables reads --variables.
func (f *parseFlags) setVariables(o *scenarios.Options) error {
	for _, v := range f.variables {
		if strings.HasPrefix(strings.TrimSpace(v), "{") {
			var m map[string]any
			d := json.NewDecoder(strings.NewReader(v))
			d.UseNumber() // 5 stays 5, and a long id keeps its last digits
			if err := d.Decode(&m); err != nil {
				// The value stays unsaid: it may hold a password.
				return hint(usage("--variables: not a JSON object: %w", err), "write name=value, or a JSON object")
			}
			for name, value := range m {
				switch value.(type) {
				case string, json.Number, bool:
					o.Variables[name] = fmt.Sprint(value)
				default:
					return hint(usage("--variables: %q must be a string, a number or true or false", name),
						`lists and objects go into --overrides: '{"config": {"variables": {%q: …}}}'`, name)
				}
			}
			continue
		}
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return hint(usage("a --variables without a name and a = sets nothing"), "write name=value, or a JSON object")
		}
		o.Variables[name] = value
	}
	return nil
}

// printNotes tells the author of an Artillery script what we do saner.
func printNotes(w io.Writer, s *scenarios.Script) {
	for _, n := range s.Notes {
		fmt.Fprintf(w, "%s: note: %s\n", n.Pos, n.Text)
	}
}

// load reads a script and finds everything wrong with it that can be found without sending anything. Seed is for
// what its config draws by lot.
func (f *parseFlags) load(name string, seed uint64) (*scenarios.Script, error) {
	notes, err := f.foreigners()
	if err != nil {
		return nil, err
	}
	o, err := f.options(name)
	if err != nil {
		return nil, err
	}
	o.Seed = seed
	script, err := scenarios.Load(name, o)
	if err != nil {
		return nil, err
	}
	script.Notes = append(notes, script.Notes...)
	return script, runner.Check(script)
}
