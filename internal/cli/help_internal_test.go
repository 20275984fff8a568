package cli

import (
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbl/internal/iostreams"
)

// everyCommand calls f with each command that a person can give.
func everyCommand(f func(*cobra.Command)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() != "help" {
			f(cmd)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(newApp(&iostreams.System{})))
}

func TestEveryCommandHasExamples(t *testing.T) {
	everyCommand(func(cmd *cobra.Command) {
		if cmd.IsAvailableCommand() && !strings.Contains(cmd.Example, "mbl-cli ") {
			t.Errorf("%s has no examples", cmd.CommandPath())
		}
	})
}

func TestHelpFitsATerminal(t *testing.T) {
	everyCommand(func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Long) {
			if len(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s: %q", cmd.CommandPath(), line)
			}
		}
	})
}

// The value of a flag has a name in capitals; pflag would write the type's.
func TestEveryFlagsValueHasAName(t *testing.T) {
	everyCommand(func(cmd *cobra.Command) {
		cmd.NonInheritedFlags().VisitAll(func(flag *pflag.Flag) {
			name, _ := pflag.UnquoteUsage(flag)
			if flag.Value.Type() != "bool" && name != "text|json" && strings.ContainsFunc(name, unicode.IsLower) {
				t.Errorf("%s: the value of --%s is called %q", cmd.CommandPath(), flag.Name, name)
			}
		})
	})
}

// A flag that begins as another one could not be told from it, cut short.
func TestNoFlagBeginsAsAnother(t *testing.T) {
	everyCommand(func(cmd *cobra.Command) {
		cmd.InheritedFlags() // puts them together
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			cmd.Flags().VisitAll(func(other *pflag.Flag) {
				if other != flag && strings.HasPrefix(other.Name, flag.Name) {
					t.Errorf("%s: --%s begins as --%s", cmd.CommandPath(), other.Name, flag.Name)
				}
			})
		})
	})
}
