package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"mbl/internal/usererr"
)

// takes checks a command's arguments against their names. A name in brackets
// ("[KEY]") may be left out; those stand last.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usererr.Usage("unexpected argument %q", args[len(names)])
		}
		for i, arg := range args {
			if arg == "" && names[i] != mayBeEmpty {
				return usererr.Usage("%s is empty", names[i])
			}
		}
		for _, name := range names[len(args):] {
			if !strings.HasPrefix(name, "[") {
				return usererr.Usage("%s is missing", name)
			}
		}
		return nil
	}
}

// mayBeEmpty is the name of the one argument for which an empty text is as
// good as any.
const mayBeEmpty = "VALUE"

// suggestionDistance is how many letters may be wrong in a command's name for
// it to be suggested.
const suggestionDistance = 2

// newGroupCommand makes a command that only holds others.
func newGroupCommand(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use + " COMMAND", Short: short, Args: knownCommand, RunE: needCommand,
		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
}
