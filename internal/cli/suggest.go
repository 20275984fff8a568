package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbl/internal/usererr"
)

// wholeFlagName lets a flag be cut short as long as it is clear which one is
// meant: the original took that.
func wholeFlagName(flags *pflag.FlagSet, typed string) pflag.NormalizedName {
	if begun := flagsBegun(flags, typed); len(begun) == 1 {
		return pflag.NormalizedName(begun[0])
	}
	return pflag.NormalizedName(typed)
}

// flagsBegun are the flags whose names begin as typed; only the one that is
// typed whole, if there is one.
func flagsBegun(flags *pflag.FlagSet, typed string) []string {
	var begun []string
	whole := false
	flags.VisitAll(func(flag *pflag.Flag) {
		whole = whole || flag.Name == typed
		if typed != "" && strings.HasPrefix(flag.Name, typed) {
			begun = append(begun, flag.Name)
		}
	})
	if whole {
		return []string{typed}
	}
	return begun
}

// flagError tells of a flag that is none, and which one was meant.
func flagError(cmd *cobra.Command, err error) error {
	told := usererr.Usage("%w", err)
	found := regexp.MustCompile(`^unknown flag: --([^=]+)`).FindStringSubmatch(err.Error())
	if found == nil {
		return told
	}
	if begun := flagsBegun(cmd.Flags(), found[1]); len(begun) > 1 {
		return usererr.Usage("--%s may be --%s", found[1], strings.Join(begun, " or --"))
	}
	if near := nearFlag(cmd, found[1]); near != "" {
		return told.WithHint("did you mean --%s?", near)
	}
	return told
}

// nearFlag is the flag of a command, or of all commands, whose name is nearest
// to what was typed; empty if none is near.
func nearFlag(cmd *cobra.Command, typed string) string {
	best, nearest := suggestionDistance+1, ""
	note := func(flag *pflag.Flag) {
		distance := editDistance(typed, flag.Name)
		if len(typed) > suggestionDistance && strings.HasPrefix(flag.Name, typed) {
			distance = 1
		}
		if !flag.Hidden && distance < best {
			best, nearest = distance, flag.Name
		}
	}
	cmd.NonInheritedFlags().VisitAll(note)
	cmd.InheritedFlags().VisitAll(note)
	return nearest
}

// nearest is the one of several words that is most like what was typed.
func nearest(typed string, words []string) string {
	return slices.MinFunc(words, func(a, b string) int { return editDistance(typed, a) - editDistance(typed, b) })
}

// editDistance is how many letters have to be put in, taken out or replaced to
// make one text of the other.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// addCompletionCommand adds cobra's own command, which takes the name of a
// shell and would print its help for one it does not know.
func addCompletionCommand(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Use, cmd.DisableFlagsInUseLine = "completion SHELL", true
			cmd.Short = "Print what makes a shell complete mbl-cli's commands"
			cmd.Long = completionLong
			cmd.Example = "  source <(mbl-cli completion bash)\n  mbl-cli completion fish > ~/.config/fish/completions/mbl-cli.fish"
			cmd.Args, cmd.RunE = knownCommand, needCommand
			for _, shell := range cmd.Commands() {
				text := completionTexts[shell.Name()]
				shell.Short, shell.Long, shell.Example = "Print the script for "+shell.Name(), text.about, text.examples
			}
		}
	}
}

const completionLong = `Print a script that makes a shell complete commands, flags, devices and
certificates. SHELL is bash, zsh, fish or powershell; the help of each says
where its script goes.`

// completionTexts are the help of each shell's script, in place of cobra's.
var completionTexts = map[string]struct{ about, examples string }{
	"bash": {
		"Print the script for bash. It needs the package bash-completion.",
		"  source <(mbl-cli completion bash)\n  mbl-cli completion bash > ~/.local/share/bash-completion/completions/mbl-cli",
	},
	"zsh": {
		"Print the script for zsh. Where ~/.zshrc does not call compinit yet, let it:\nautoload -Uz compinit; compinit",
		"  source <(mbl-cli completion zsh)\n  mbl-cli completion zsh > \"${fpath[1]}/_mbl-cli\"",
	},
	"fish": {
		"Print the script for fish.",
		"  mbl-cli completion fish | source\n  mbl-cli completion fish > ~/.config/fish/completions/mbl-cli.fish",
	},
	"powershell": {
		"Print the script for PowerShell. In the file that $PROFILE names, it is read by\nevery new session.",
		"  mbl-cli completion powershell | Out-String | Invoke-Expression\n  mbl-cli completion powershell >> $PROFILE",
	},
}
