package cli

import "github.com/spf13/cobra"

func newProvisionPelionCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "provision-pelion", Short: "Provision a device", RunE: needCommand}
}
