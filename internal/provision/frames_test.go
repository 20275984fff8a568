package provision

import (
	"strings"
	"testing"

	"mbl/internal/ssh/posixsh"
)

func TestFramesAreTakenApart(t *testing.T) {
	const output = "motd\n" +
		"\nM begin provision\nhalf a \nM beat\nline\nM end other 0\n" +
		"\nM end provision 3\n" +
		"\nM problem write\n\nM tidy gone\n"
	f := parseFrames(strings.ReplaceAll(output, "\nM end other", "\nm end other"), "M")
	tool := f.tools["provision"]
	if tool == nil || tool.output != "half a line\nm end other 0\n" || !tool.ended || tool.exit != 3 {
		t.Errorf("the tool: %+v", tool)
	}
	if f.noise != "motd\n" || f.problem != "write" || f.tidy != "gone" || f.done {
		t.Errorf("frames: %+v", f)
	}
}

// FuzzParseFrames: a device may send anything; what was framed comes back.
func FuzzParseFrames(f *testing.F) {
	f.Add("Provisioning device.\n", "M")
	f.Add("\nM begin x\n", "M")
	f.Add("", "\n")
	f.Fuzz(func(t *testing.T, output, mark string) {
		parseFrames(output, mark)
		mark = posixsh.NewMark()
		framed := parseFrames("\n"+mark+" begin status\n"+output+"\n"+mark+" end status 0\n", mark)
		if got := framed.tools["status"]; got == nil || got.output != output || !got.ended {
			t.Fatalf("framed %q, got %+v", output, got)
		}
	})
}
