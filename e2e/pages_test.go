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

// flagsOf are the flags in the help of a program and of its commands.
func flagsOf(t *testing.T, program string) map[string]bool {
	t.Helper()
	flags := map[string]bool{}
	seen := map[string]bool{} // mbl-device has the same help for all its commands
	for waiting := [][]string{{program}}; len(waiting) > 0; waiting = waiting[1:] {
		command := append(slices.Clone(waiting[0]), "--help")
		said, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", command, err, said)
		}
		help := string(said)
		if seen[help] {
			continue
		}
		seen[help] = true
		maps.Copy(flags, flagsIn(help))
		if list := commandList.FindStringSubmatch(help); list != nil {
			for _, name := range commandName.FindAllStringSubmatch(list[1], -1) {
				waiting = append(waiting, append(slices.Clone(waiting[0]), name[1]))
			}
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
