package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"mbl/internal/usererr"
)

// finish tells the person what went wrong, if anything did, and returns the
// exit code.
func (a *app) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	if errors.Is(err, errDone) {
		err = nil
	}
	if err == nil && a.out.err != nil {
		err = usererr.Failure("cannot print: %w", a.out.err)
	}
	if err == nil {
		return usererr.ExitOK
	}
	told := a.explain(ctx, err)
	a.tell(cmd, told)
	return told.Code
}

// explain turns any failure into what a person is told. It is the only place
// where failures get their exit code.
func (a *app) explain(ctx context.Context, err error) *usererr.Error {
	var told *usererr.Error
	switch {
	case ctx.Err() != nil:
		return usererr.New(usererr.ExitInterrupted, "interrupted").Because(err)
	case errors.As(err, &told):
		return told
	case !a.started:
		return usererr.Usage("%w", err)
	}
	if told = ruled(err); told != nil {
		return told
	}
	return usererr.Failure("%w", err)
}

// tell prints a failure on standard error: one line, how the command is used
// if it was used wrongly, a hint, and with -v the causes.
// A failure without words is the exit code of a command on the device.
func (a *app) tell(cmd *cobra.Command, told *usererr.Error) {
	if told.Message == "" {
		return
	}
	fmt.Fprintf(a.sys.Err, "mbl-cli: %s\n", oneLine(told.Message))
	hint := told.Hint
	if told.Code == usererr.ExitUsage && cmd != nil {
		fmt.Fprintf(a.sys.Err, "usage: %s\n", cmd.UseLine())
		if hint == "" {
			hint = fmt.Sprintf("`%s --help` explains it", cmd.CommandPath())
		}
	}
	if hint != "" {
		fmt.Fprintf(a.sys.Err, "hint: %s\n", oneLine(hint))
	}
	if !a.flags.verbose {
		return
	}
	for _, cause := range causes(told.Err) {
		fmt.Fprintf(a.sys.Err, "cause: %s\n", oneLine(cause))
	}
}

// causes are the texts of an error and of what it wraps, each once.
func causes(err error) []string {
	if err == nil {
		return nil
	}
	texts := []string{err.Error()}
	var inner []error
	switch wrapping := err.(type) { //nolint:errorlint // this walks the tree itself
	case interface{ Unwrap() error }:
		inner = []error{wrapping.Unwrap()}
	case interface{ Unwrap() []error }:
		inner = wrapping.Unwrap()
	}
	for _, cause := range inner {
		for _, text := range causes(cause) {
			if !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// oneLine keeps a message on one line, free of control characters, which may
// come from a service or a device, and free of API keys.
func oneLine(text string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r): // the latter turn what follows around
			return -1
		}
		return r
	}, text)
	return hideKeys(shortened(strings.Join(strings.Fields(clean), " ")))
}

// maxLineShown is how much of a text is shown, in bytes: what comes from
// elsewhere may be a book.
const maxLineShown = 2000

func shortened(text string) string {
	if len(text) <= maxLineShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxLineShown], "") + " …"
}

// hideKeys takes API keys out of a text: a key may stand where the name of a
// command or a file was expected, and would be repeated in the message.
func hideKeys(text string) string {
	return regexp.MustCompile(`\bak_[0-9A-Za-z+/=_-]{4,}`).ReplaceAllString(text, "ak_…")
}
