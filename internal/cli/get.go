package cli

import (
	"github.com/spf13/cobra"

	"mbl/internal/ssh/transfer"
)

const getLong = `Copy a file, or with -r a folder, from the device to this machine.

` + copyLong

const getExamples = `  mbl-cli get /var/log/messages .
  mbl-cli get /etc/hostname board-hostname
  mbl-cli get -r /var/log board-logs`

func newGetCommand(a *app) *cobra.Command {
	var opts copyOptions
	cmd := &cobra.Command{
		Use:     "get SRC DST",
		Short:   "Copy files from the device",
		Long:    getLong,
		Example: getExamples,
		Args:    takes("SRC", "DST"),

		ValidArgsFunction: completeLocalFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.copyFiles(cmd.Context(), transfer.Get, args[0], args[1], opts)
		},
	}
	addCopyFlags(cmd, &opts)
	return cmd
}
