package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

const maxLine = 8 << 10 // bytes of one answer

var errInputEnded = errors.New("cannot read the answer: the input ended")

// ask prints a question on standard error and reads one line. The caller has
// made sure that somebody is there to answer.
func (a *app) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.sys.Err, question)
	answer, err := a.readLine(ctx)
	if err != nil {
		fmt.Fprintln(a.sys.Err) // nobody has ended the line
	}
	return answer, err
}

// confirm asks a question that anything but yes answers with no.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := a.ask(ctx, question+" [y/N] ")
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", nil
}

// askSecret reads one line without showing it on the terminal.
func (a *app) askSecret(ctx context.Context, question string) (string, error) {
	terminal, ok := a.sys.In.(*os.File)
	if !ok || !a.sys.InTTY {
		return a.readLine(ctx)
	}
	fmt.Fprint(a.sys.Err, question)
	defer fmt.Fprintln(a.sys.Err)
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot read from the terminal: %w", err)
	}
	text, err := await(ctx, func() (string, error) {
		typed, err := term.ReadPassword(int(terminal.Fd()))
		return strings.TrimSpace(string(typed)), err
	})
	if ctx.Err() != nil {
		// The read that is left behind will not put the echo back.
		err = errors.Join(err, term.Restore(int(terminal.Fd()), state))
	}
	return text, err
}

// readLine reads one line of standard input. Of what follows nothing is used.
func (a *app) readLine(ctx context.Context) (string, error) {
	return await(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(a.sys.In, maxLine)).ReadString('\n')
		if err == io.EOF && line != "" {
			err = nil
		}
		return strings.TrimSpace(line), err
	})
}

// await reads without keeping Ctrl-C waiting: the read itself cannot be
// interrupted, so it is left behind.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-answers:
		if errors.Is(got.err, io.EOF) {
			return "", errInputEnded
		}
		return got.text, got.err
	}
}
