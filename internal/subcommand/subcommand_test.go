package subcommand_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mbl/internal/subcommand"
)

// run runs a program with a command "key make".
func run(args ...string) (out string, err error) {
	root := &cobra.Command{Use: "program", Short: "A program", Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true}
	group := &cobra.Command{Use: "key", Short: "About keys"}
	group.AddCommand(&cobra.Command{Use: "make", Short: "Make a key", Args: cobra.NoArgs, Run: func(cmd *cobra.Command, _ []string) {
		cmd.Print("made")
	}})
	root.AddCommand(group)
	subcommand.Require(root)
	var stdout bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stdout)
	root.SetArgs(append([]string{}, args...))
	err = root.Execute()
	return stdout.String(), err
}

func TestWhatIsNoCommandIsRefused(t *testing.T) {
	for _, args := range []string{"", "nonsense", "key", "key nonsense", "key make nonsense", "help nonsense", "help key nonsense", "completion", "completion nonsense"} {
		out, err := run(strings.Fields(args)...)
		if err == nil || out != "" {
			t.Errorf("program %s: printed %q and failed with %v", args, out, err)
		}
	}
}

func TestCommandsAndHelpStillWork(t *testing.T) {
	for args, want := range map[string]string{
		"key make":      "made",
		"help":          "program [command]",
		"--help":        "program [command]",
		"help key":      "Make a key",
		"key --help":    "Make a key",
		"help key make": "program key make",
	} {
		if out, err := run(strings.Fields(args)...); err != nil || !strings.Contains(out, want) {
			t.Errorf("program %s: %q, %v; want %q", args, out, err, want)
		}
	}
}

func TestHelpIsTheSameEitherWay(t *testing.T) {
	for _, group := range []string{"", "key"} {
		asked, err := run(strings.Fields("help " + group)...)
		if err != nil {
			t.Fatal(err)
		}
		if flagged, err := run(strings.Fields(group + " --help")...); err != nil || flagged != asked {
			t.Errorf("%s --help: %q, %v; help %[1]s: %q", group, flagged, err, asked)
		}
		if strings.Contains(asked, "program "+group+" [flags]") || strings.Contains(asked, "program [flags]") {
			t.Errorf("%q can be called without a command, says %q", group, asked)
		}
	}
}
