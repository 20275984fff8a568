package shell

import (
	"context"
	"io"
	"strings"
)

// sh runs "sh -c LINE [NAME ARG...]", "sh FILE [ARG...]" and "sh [-s ARG...]",
// which reads its commands from the standard input.
func sh(ctx context.Context, c *call) int {
	invoked, ok := parseSh(c.args)
	if !ok {
		return c.misused("bad option")
	}
	args := invoked.args
	if invoked.line {
		if len(args) == 0 {
			return c.misused("-c wants an argument")
		}
		name := "sh"
		if len(args) > 1 {
			name = args[1]
		}
		return c.subshell(invoked.params(args[1:], 1)).runText(ctx, name, args[0])
	}
	if invoked.stdin || len(args) == 0 {
		return c.subshell(invoked.params(args, 0)).runStream(ctx, c.In)
	}
	status := 0
	if err := c.withInput(args[0], func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err == nil {
			status = c.subshell(invoked.params(args, 1)).runText(ctx, args[0], string(data))
		}
		return err
	}); err != nil {
		c.fail(err)
		return statusNotFound
	}
	return status
}

type shInvocation struct {
	line, stdin bool     // -c, -s
	options     []string // for "set": -e, -u …
	args        []string
}

// params are the options and the positional parameters, without the first skip
// arguments.
func (i shInvocation) params(args []string, skip int) []string {
	args = args[min(skip, len(args)):]
	return append(append(i.options, "--"), args...)
}

func parseSh(args []string) (shInvocation, bool) {
	var parsed shInvocation
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for _, letter := range word[1:] {
			switch {
			case letter == 'c':
				parsed.line = true
			case letter == 's':
				parsed.stdin = true
			case strings.ContainsRune("eufxn", letter):
				parsed.options = append(parsed.options, "-"+string(letter))
			case letter != 'l' && letter != 'i': // a login shell is like any other
				return parsed, false
			}
		}
	}
	parsed.args = args
	return parsed, true
}
