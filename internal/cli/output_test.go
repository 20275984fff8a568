package cli_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"mbl/internal/cli"
	"mbl/internal/iostreams"
)

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWhatCannotBePrintedIsAFailure(t *testing.T) {
	for _, line := range []string{"--version", "--help", "help list", "completion bash", "which -a 192.0.2.1", "-o json which -a 192.0.2.1"} {
		var said bytes.Buffer
		code := cli.Main(t.Context(), &iostreams.System{
			Args: strings.Fields(line), In: strings.NewReader(""), Out: full{}, Err: &said,
			Getenv: func(string) string { return "" },
		})
		if code != 255 || !strings.Contains(said.String(), "no space left on device") {
			t.Errorf("%s: exit code %d, having said %q", line, code, said.String())
		}
	}
}
