package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const shellLong = `Log in to the device, or run one command there.

Without CMD it takes a terminal; Ctrl-C and all other keys go to the device. A
command gets this one's standard input, and its output comes out as it is, byte
for byte, standard error apart. Flags stand before CMD: what follows belongs to
the command. Either way the exit code is the device's: 128 plus the signal's
number for a command that was killed.`

const shellExamples = `  mbl-cli shell
  mbl-cli shell 'systemctl status mbl-device'
  mbl-cli shell cat /var/log/messages > messages
  tar c site | mbl-cli shell 'tar x -C /srv'`

func newShellCommand(a *app) *cobra.Command {
	var acceptNewHostKey bool
	cmd := &cobra.Command{
		Use:     "shell [flags] [CMD]",
		Short:   "Log in to the device, or run a command there",
		Long:    shellLong,
		Example: shellExamples,

		ValidArgsFunction: completeLocalFiles,

		RunE: func(cmd *cobra.Command, args []string) error {
			return a.shell(cmd.Context(), strings.Join(args, " "), acceptNewHostKey)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows CMD belongs to it
	addHostKeyFlag(cmd, &acceptNewHostKey)
	return cmd
}

func (a *app) shell(ctx context.Context, line string, acceptNewHostKey bool) error {
	target, err := a.target()
	if err != nil {
		return err
	}
	run := func(client *ssh.Client) (int, error) { return a.runOnce(ctx, client, line) }
	if line == "" {
		terminal, ok := a.sys.In.(*os.File)
		if !ok || !a.sys.InTTY || !a.sys.OutTTY {
			return usererr.Usage("an interactive shell takes a terminal, and there is none").
				WithHint("give a command: `mbl-cli shell CMD`")
		}
		run = func(client *ssh.Client) (int, error) { return a.interact(ctx, client, terminal) }
	}
	client, err := a.connect(ctx, target, acceptNewHostKey)
	if err != nil {
		return err
	}
	defer client.Close()
	code, err := run(client)
	if err != nil {
		return err
	}
	if code != 0 {
		return usererr.New(code, "") // it has said why itself
	}
	return nil
}

func (a *app) runOnce(ctx context.Context, client *ssh.Client, line string) (int, error) {
	return client.Run(ctx, ssh.Command{Line: line, Stdin: a.sys.In, Stdout: a.sys.Out, Stderr: a.sys.Err})
}

// interact hands the terminal to the device and takes it back at the end.
func (a *app) interact(ctx context.Context, client *ssh.Client, terminal *os.File) (code int, err error) {
	fd := int(terminal.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return 0, fmt.Errorf("cannot use the terminal: %w", err)
	}
	defer func() {
		if restoreErr := term.Restore(fd, before); err == nil && restoreErr != nil {
			err = fmt.Errorf("cannot restore the terminal: %w", restoreErr)
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	size := terminalSize(fd)
	return client.Interact(ctx, ssh.Terminal{
		Name:        a.terminalName(),
		Size:        size,
		Resized:     resizes(ctx, fd, size),
		In:          terminal,
		Out:         a.sys.Out,
		Environment: a.language(),
	})
}

func (a *app) terminalName() string {
	if name := a.sys.Getenv("TERM"); name != "" {
		return name
	}
	return "vt100"
}

// language is what makes programs on the device write UTF-8 where this
// terminal does.
func (a *app) language() map[string]string {
	values := map[string]string{}
	for _, name := range []string{"LANG", "LC_ALL", "LC_CTYPE"} {
		if value := a.sys.Getenv(name); value != "" {
			values[name] = value
		}
	}
	return values
}

func terminalSize(fd int) ssh.Size {
	columns, rows, err := term.GetSize(fd)
	if err != nil || columns <= 0 || rows <= 0 {
		return ssh.Size{Columns: 80, Rows: 24}
	}
	return ssh.Size{Columns: columns, Rows: rows}
}

// resizes tells of new sizes of a terminal. It looks from time to time: not
// every system sends a signal.
func resizes(ctx context.Context, fd int, size ssh.Size) <-chan ssh.Size {
	sizes := make(chan ssh.Size)
	ticker := time.NewTicker(200 * time.Millisecond)
	go func() {
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now := terminalSize(fd)
			if now == size {
				continue
			}
			size = now
			select {
			case <-ctx.Done():
				return
			case sizes <- size:
			}
		}
	}()
	return sizes
}
