package cli

import "github.com/spf13/cobra"

func newSelectCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "select", Short: "Choose the device to work with", RunE: needCommand}
}
