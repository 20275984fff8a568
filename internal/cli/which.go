package cli

import "github.com/spf13/cobra"

func newWhichCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "which", Short: "Show the chosen device", RunE: needCommand}
}
