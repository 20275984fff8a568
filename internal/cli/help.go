package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbl/internal/usererr"
)

func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Show how a command is used",
		ValidArgsFunction: completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usererr.Usage("there is no command %q", strings.Join(args, " ")).WithHint("`mbl-cli help` lists them")
			}
			return topic.Help()
		},
	}
}

// completeTopics are the commands below those that were typed.
func completeTopics(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	topic, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, sub := range topic.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name()+"\t"+sub.Short)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// showHelp prints a command's help to standard output, examples first: they
// answer most questions.
func showHelp(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintln(w, about)
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	own := ownFlags(cmd) // puts together what the usage line speaks of
	fmt.Fprintf(w, "\nUsage:\n  %s\n", cmd.UseLine())
	showCommands(w, cmd)
	showFlags(w, "Flags", own)
	if cmd.HasParent() {
		fmt.Fprintf(w, "\n`mbl-cli help` lists the flags that every command understands.\n")
	}
}

func ownFlags(cmd *cobra.Command) *pflag.FlagSet {
	if cmd.HasParent() {
		return cmd.NonInheritedFlags()
	}
	return cmd.Flags()
}

func showCommands(w io.Writer, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	fmt.Fprint(w, "\nCommands:\n")
	columns := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			fmt.Fprintf(columns, "  %s\t%s\n", sub.Name(), sub.Short)
		}
	}
	columns.Flush()
}

func showFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s", title, flags.FlagUsages())
	}
}
