package cli

import "github.com/spf13/cobra"

func newSaveAPIKeyCommand(*app) *cobra.Command {
	return &cobra.Command{Use: "save-api-key", Short: "Keep an API key", RunE: needCommand}
}
