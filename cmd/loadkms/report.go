package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"loadkms/reporters"
	"loadkms/result"
)

// newReport returns the command that makes a saved run's reports again.
func newReport() *cobra.Command {
	var html string
	cmd := &cobra.Command{
		Use:   "report RUN.JSON",
		Short: "print a saved run's summary again, and its HTML with --html",
		Long: `report prints the summary of the run in RUN.JSON, which is in the folder the run named. The exit code
is 0 if it could be printed, whatever the verdict was.`,
		Args: exactly("RUN.JSON"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := readRun(args[0])
			if err != nil {
				return err
			}
			if err := reporters.Terminal(cmd.OutOrStdout(), run, styleOf(cmd.OutOrStdout())); err != nil {
				return &coded{exitFail, fmt.Errorf("print the summary: %w", err)}
			}
			if html == "" {
				return nil
			}
			if err := writeFile(html, func(w io.Writer) error { return reporters.HTML(w, run) }); err != nil {
				return &coded{exitFail, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&html, "html", "", "write the HTML report to this file")
	return cmd
}

// readRun reads a run.json.
func readRun(name string) (*result.Run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("%w", err)
	}
	defer f.Close()
	run, err := reporters.Read(f)
	if err != nil {
		return nil, usage("read %s: %w", name, err)
	}
	return run, nil
}
