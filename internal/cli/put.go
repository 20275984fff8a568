package cli

import (
	"github.com/spf13/cobra"

	"mbl/internal/ssh/transfer"
)

const putLong = `Copy a file, or with -r a folder, from this machine to the device.

` + copyLong

const putExamples = `  mbl-cli put app.conf /etc/app.conf
  mbl-cli put firmware.bin /scratch
  mbl-cli put -r site /srv/site`

func newPutCommand(a *app) *cobra.Command {
	var opts copyOptions
	cmd := &cobra.Command{
		Use:     "put SRC DST",
		Short:   "Copy files to the device",
		Long:    putLong,
		Example: putExamples,
		Args:    takes("SRC", "DST"),

		ValidArgsFunction: completeLocalFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.copyFiles(cmd.Context(), transfer.Put, args[0], args[1], opts)
		},
	}
	addCopyFlags(cmd, &opts)
	return cmd
}
