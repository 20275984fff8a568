package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// inTurns runs ours and bare one after the other, so that whatever else the
// machine does disturbs both, and returns the median duration of each. The
// first turn warms caches and does not count.
func inTurns(ctx context.Context, turns int, ours, bare func(context.Context) error) (oursMedian, bareMedian time.Duration, err error) {
	var oursTimes, bareTimes []time.Duration
	for turn := range turns + 1 {
		oursTime, err := timed(ctx, ours)
		if err != nil {
			return 0, 0, err
		}
		bareTime, err := timed(ctx, bare)
		if err != nil {
			return 0, 0, err
		}
		if turn > 0 {
			oursTimes, bareTimes = append(oursTimes, oursTime), append(bareTimes, bareTime)
		}
	}
	return median(oursTimes), median(bareTimes), nil
}

func timed(ctx context.Context, f func(context.Context) error) (time.Duration, error) {
	start := time.Now()
	err := f(ctx)
	return time.Since(start), err
}

// median is the middle value, the upper one of two.
func median[T int | float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// command makes a function that runs a program and fails when it does.
func command(env []string, line ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, line[0], line[1:]...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(line, " "), err, out)
		}
		return nil
	}
}
