package shell

import (
	"context"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/interp"
)

// ours marks a built-in command of the interpreter that this package answers
// in its stead.
const ours = "sandbox:"

// rewriteCall sees every simple command before it runs. It takes over the
// built-ins that would ask the host, and the signals that the interpreter's
// own "trap" does not know.
func (in *interpreter) rewriteCall(ctx context.Context, args []string) ([]string, error) {
	for len(args) > 1 && (args[0] == "command" || args[0] == "builtin") && !strings.HasPrefix(args[1], "-") {
		args = args[1:]
	}
	switch args[0] {
	case "trap":
		return in.rewriteTrap(interp.HandlerCtx(ctx), args[1:]), nil
	case "umask", "type":
		return append([]string{ours + args[0]}, args[1:]...), nil
	case "command":
		if len(args) > 1 && (args[1] == "-v" || args[1] == "-V") {
			return append([]string{ours + "type"}, args[2:]...), nil
		}
	case "pwd":
		return args[:1], nil // -P would follow the host's links
	case "cd":
		for len(args) > 1 && (args[1] == "--" || args[1] == "-P" || args[1] == "-L") {
			args = append(args[:1:1], args[2:]...)
		}
	case "hash":
		return []string{"true"}, nil
	}
	return args, nil
}

// rewriteTrap remembers the actions for signals; EXIT and ERR are left to the
// interpreter.
func (in *interpreter) rewriteTrap(hc interp.HandlerContext, args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && args[0] != "-" {
		return append([]string{"trap"}, args...)
	}
	action, signals := args[0], args[1:]
	if len(signals) == 0 { // "trap EXIT" resets it
		action, signals = "-", args
	}
	rest := []string{"trap", action}
	for _, word := range signals {
		name, known := signalName(word)
		if !known {
			fmt.Fprintf(hc.Stderr, "trap: %s: bad signal\n", word)
			return []string{"false"}
		}
		if name == "EXIT" || name == "ERR" {
			rest = append(rest, name)
			continue
		}
		in.setTrap(name, action)
	}
	if len(rest) == 2 {
		return []string{"true"}
	}
	return rest
}

func signalName(word string) (string, bool) {
	name := strings.TrimPrefix(strings.ToUpper(word), "SIG")
	switch name {
	case "EXIT", "ERR", "HUP", "INT", "QUIT", "PIPE", "ALRM", "TERM", "USR1", "USR2", "CHLD":
		return name, true
	}
	byNumber := map[string]string{"0": "EXIT", "1": "HUP", "2": "INT", "3": "QUIT", "13": "PIPE", "14": "ALRM", "15": "TERM"}
	name, known := byNumber[name]
	return name, known
}

func (in *interpreter) setTrap(signal, action string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if action == "-" {
		delete(in.traps, signal)
		return
	}
	in.traps[signal] = action
}

func (in *interpreter) trap(signal string) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.traps[signal]
}

// ignores tells whether the trap for signal is the empty action.
func (in *interpreter) ignores(signal string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	action, set := in.traps[signal]
	return set && action == ""
}
