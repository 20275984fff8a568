package cli

import "github.com/spf13/cobra"

func newListCertificatesCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "list-certificates", Short: "List certificates", RunE: needCommand}
}
