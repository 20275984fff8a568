package cli

import "github.com/spf13/cobra"

func newGetPelionStatusCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "get-pelion-status", Short: "Is the device provisioned", RunE: needCommand}
}
