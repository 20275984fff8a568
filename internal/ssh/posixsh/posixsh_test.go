package posixsh_test

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mbl/internal/ssh/posixsh"
)

func TestAShellTakesAQuotedTextAsOneWord(t *testing.T) {
	for _, text := range []string{"", "plain", "two words", "it's", `'"\$HOME`, "a\nb", "*", "-n", "ümlaut"} {
		// Not as the format, and not where printf would look for options.
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s%s '' "+posixsh.Quote(text)).Output()
		if err != nil || string(got) != text {
			t.Errorf("%q arrives as %q, %v", text, got, err)
		}
	}
}

func TestAnswersAreToldFromWhatProgramsPrint(t *testing.T) {
	mark := posixsh.NewMark()
	if mark == posixsh.NewMark() {
		t.Error("two scripts have the same mark")
	}
	output := "motd " + mark + " fake\n" +
		"\n" + mark + " version mbl-device 1 \n" +
		"\n" + mark + " manifest\nfirst\nsecond\n" +
		"noise about x" + mark + " y\n" +
		"\n" + mark + " done"
	want := []posixsh.Answer{
		{Word: "version", Text: "mbl-device 1"},
		{Word: "manifest", Text: "first\nsecond\nnoise about x" + mark + " y"},
		{Word: "done"},
	}
	if got := posixsh.Answers(output, mark); !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
	if got := posixsh.Answers("", mark); len(got) > 0 {
		t.Errorf("nothing answers %q", got)
	}
}

func TestADeviceThatPrintsWithoutEndFillsNoMemory(t *testing.T) {
	output := &posixsh.Output{}
	for range 100 {
		if n, err := io.WriteString(output, strings.Repeat("x", 10_000)); n != 10_000 || err != nil {
			t.Fatalf("took %d bytes, %v", n, err)
		}
	}
	if kept := len(output.String()); kept != 256<<10 {
		t.Errorf("%d bytes are kept", kept)
	}
}
