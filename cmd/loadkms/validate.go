package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"loadkms/scenarios"
)

// newValidate returns the command that checks scripts and sends nothing.
func newValidate() *cobra.Command {
	var (
		parse  parseFlags
		format string
	)
	cmd := &cobra.Command{
		Use:   "validate SCRIPT…",
		Short: "check scripts; nothing is sent",
		Long: `validate reads scripts as run would, and prints every mistake with its place. Nothing is sent.

SCRIPT is a file, or the name of a script that ships with loadkms. With --format json it prints a list
of the mistakes, empty if there are none. Exit code 0 if every script is right, else 2.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hint(usage("validate takes at least one SCRIPT"), "see loadkms validate --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage("unknown format %q: it is text or json", format)
			}
			found := []*scenarios.Problem{} // not nil: JSON readers get a list
			bad := false
			for _, name := range args {
				script, err := parse.load(name, 0)
				var problems *scenarios.Problems
				switch {
				case errors.As(err, &problems):
					bad = true
					found = append(found, problems.List...)
					if format == "text" {
						explain(cmd.ErrOrStderr(), err)
					}
				case err != nil:
					bad = true
					found = append(found, &scenarios.Problem{File: name, Msg: err.Error()})
					if format == "text" {
						explain(cmd.ErrOrStderr(), err)
					}
				case format == "text":
					fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", script.File)
					printNotes(cmd.ErrOrStderr(), script)
				}
			}
			if format == "json" {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				if err := out.Encode(found); err != nil {
					return fmt.Errorf("write problems: %w", err)
				}
			}
			if bad {
				return &coded{code: exitUsage}
			}
			return nil
		},
	}
	parse.add(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, or json for tools")
	return cmd
}
