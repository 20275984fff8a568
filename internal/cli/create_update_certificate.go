package cli

import "github.com/spf13/cobra"

func newCreateUpdateCertificateCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "create-update-certificate", Short: "Make an update certificate", RunE: needCommand}
}
