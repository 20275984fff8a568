package cli

import "github.com/spf13/cobra"

func newDeleteCertificateCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "delete-certificate", Short: "Delete a certificate", RunE: needCommand}
}
