package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// programStart holds `mbl-cli --version` against a Python that does nothing,
// since the original mbl-cli is written in Python.
func programStart(ctx context.Context, _ string) (result, error) {
	const turns = 60
	python, err := pythonItself(ctx)
	if err != nil {
		return result{}, err
	}
	ours, bare, err := inTurns(ctx, turns,
		command(nil, program("mbl-cli"), "--version"),
		command(nil, python, "-S", "-c", "pass"))
	if err != nil {
		return result{}, err
	}
	return result{
		what:  "`mbl-cli --version`",
		ours:  milliseconds(ours),
		bare:  milliseconds(bare) + " `python3 -S -c pass`",
		ratio: float64(ours) / float64(bare),
		goal:  atMost(1),
		how:   fmt.Sprintf("medians of %d runs, in turns", turns),
	}, nil
}

// pythonItself is the interpreter's own path: what stands on the PATH may be a
// script of a version manager, which would be measured too.
func pythonItself(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find python3: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
