package cloudapp

import (
	"regexp"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbl/internal/iostreams"
)

// --help shows a text in back quotes as what a flag takes, whatever it says.
func TestHelpSaysWhatFlagsTake(t *testing.T) {
	metavariable := regexp.MustCompile(`^[A-Z]+$`)
	var check func(*cobra.Command)
	check = func(command *cobra.Command) {
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			takes, _ := pflag.UnquoteUsage(flag)
			if text := flag.Value.Type() == "string" || flag.Value.Type() == "stringSlice"; text && !metavariable.MatchString(takes) {
				t.Errorf("%s: --%s takes %q", command.CommandPath(), flag.Name, takes)
			}
		})
		for _, sub := range command.Commands() {
			check(sub)
		}
	}
	check((&app{sys: &iostreams.System{Getenv: func(string) string { return "" }}}).command())
}
