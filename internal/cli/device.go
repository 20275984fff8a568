package cli

import "github.com/spf13/cobra"

func newDeviceCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "device", Short: "Devices of the service", RunE: needCommand}
}
