package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var (
	flagName    = regexp.MustCompile(`(?:^|[^[:alnum:]-])(--[a-z][a-z0-9-]+)`)
	commandList = regexp.MustCompile(`(?ms)Commands:$(.*?)\n\n`)
	commandName = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*)  `)
)

// Every flag that README.md and the pages name is one of some command, or of
// somebody else's program.
func TestPagesNameFlagsThatThereAre(t *testing.T) {
	known := map[string]bool{"--now": true, "--cacert": true} // of systemctl and curl
	for _, program := range []string{"mbl-cli", "mbl-cloud", "mbl-sandbox", "mbl-device"} {
		maps.Copy(known, flagsOf(t, program))
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("there are no pages: %v", err)
	}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for flag := range flagsIn(string(text)) {
			if !known[flag] {
				t.Errorf("%s names %s, which no command has", page, flag)
			}
		}
	}
}

// flagsOf are the flags in the help of a command, and of those below it.
func flagsOf(t *testing.T, command ...string) map[string]bool {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), command[0], append(slices.Clone(command[1:]), "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q --help: %v: %s", command, err, help)
	}
	flags := flagsIn(string(help))
	if list := commandList.FindStringSubmatch(string(help)); list != nil {
		for _, name := range commandName.FindAllStringSubmatch(list[1], -1) {
			maps.Copy(flags, flagsOf(t, append(slices.Clone(command), name[1])...))
		}
	}
	return flags
}

func flagsIn(text string) map[string]bool {
	flags := map[string]bool{}
	for _, match := range flagName.FindAllStringSubmatch(text, -1) {
		flags[match[1]] = true
	}
	return flags
}
