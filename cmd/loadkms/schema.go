package main

import (
	"github.com/spf13/cobra"

	"loadkms/scenarios"
)

// newSchema returns the command that prints the language for editors and people.
func newSchema() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of the scenario language",
		Long: `schema prints the JSON Schema of the scenario language, with which an editor completes and checks
scripts: loadkms schema > loadkms.schema.json.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			page := scenarios.Schema()
			if markdown {
				page = scenarios.Language()
			}
			_, err := cmd.OutOrStdout().Write(page)
			return err
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the reference page of the language instead")
	return cmd
}
