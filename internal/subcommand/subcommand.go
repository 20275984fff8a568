// Package subcommand makes a cobra program refuse what is not one of its
// commands. mbl-cloud and mbl-sandbox use it; mbl-cli says more, and by itself.
package subcommand

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Require has root, its help, and every command that only groups others fail
// where no command follows, or none there is. Left to itself, cobra prints the
// help to standard output and reports success, which a script that mistyped
// "api-key create" takes for its key. Call it once all commands are added.
func Require(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(newHelp())
	usage := root.UsageTemplate()
	root.SetUsageTemplate(strings.Replace(usage, "{{if .Runnable}}", "{{if not .HasSubCommands}}", 1))
	requireBelow(root)
}

func requireBelow(cmd *cobra.Command) {
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = refuse
		cmd.RunE = refuse // never reached, but what cannot run gets no arguments either
	}
	for _, sub := range cmd.Commands() {
		requireBelow(sub)
	}
}

func refuse(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("no command given")
	}
	return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Args: func(cmd *cobra.Command, args []string) error {
			if _, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 {
				return fmt.Errorf("there is no command %q", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			topic.InitDefaultHelpFlag()
			topic.InitDefaultVersionFlag()
			return topic.Help()
		},
	}
}
