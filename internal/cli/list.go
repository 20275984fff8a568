package cli

import "github.com/spf13/cobra"

func newListCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the devices on the network", RunE: needCommand}
}
