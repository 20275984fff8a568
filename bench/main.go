// Command bench measures what the goals of docs/benchmarks.md are about and
// writes the result there, between its markers. Each figure is held against
// something bare that was measured in the same run, in turns with it: on a
// shared machine only their ratio means anything. `make bench` runs it, from
// the root of the tree, with the programs in bin/.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
)

// benchmarks are what there is to measure, in this order. Each has a folder of
// its own.
var benchmarks = []struct {
	name    string
	measure func(ctx context.Context, dir string) ([]result, error)
}{
	{"start", alone(programStart)},
	{"provisioning", alone(provisioning)},
	{"copying", copying},
	{"connecting", connecting},
	{"listing", listing},
	{"fleet", alone(fleetOfMany)},
	{"fleet-together", alone(fleetTogether)},
	{"resident", alone(resident)},
	{"growth-udp", growthOver("udp")},
	{"growth-tcp", growthOver("tcp")},
}

// alone is a benchmark with one result.
func alone(measure func(context.Context, string) (result, error)) func(context.Context, string) ([]result, error) {
	return func(ctx context.Context, dir string) ([]result, error) {
		r, err := measure(ctx, dir)
		return []result{r}, err
	}
}

const clientGCPercent = 400

func main() {
	server := flag.Bool("dtls-server", false, "be the bare server that handshakes are measured against")
	only := flag.String("only", "", "measure just this `benchmark`, and write nothing")
	page := flag.String("page", "docs/benchmarks.md", "the `file` to write the results into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := func() error { return serveHandshakes(ctx) }
	if !*server {
		// What is measured are the programs: collecting the garbage of hundreds
		// of clients in this one would take its part of the machine.
		debug.SetGCPercent(clientGCPercent)
		run = func() error { return runAll(ctx, *only, *page) }
	}
	if err := run(); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func runAll(ctx context.Context, only, page string) error {
	scratch, err := os.MkdirTemp("", "mbl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	var results []result
	for _, b := range benchmarks {
		if only != "" && b.name != only {
			continue
		}
		dir := filepath.Join(scratch, b.name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		measured, err := b.measure(ctx, dir)
		if err != nil {
			return fmt.Errorf("cannot measure %s: %w", b.name, err)
		}
		for _, r := range measured {
			fmt.Println(r.row())
		}
		results = append(results, measured...)
	}
	switch {
	case len(results) == 0:
		return fmt.Errorf("there is no benchmark %q", only)
	case only != "":
		return nil
	}
	return writeInto(page, results)
}

// program is one of our programs, as make build made it.
func program(name string) string {
	path, err := filepath.Abs(filepath.Join("bin", name))
	if err != nil {
		panic(err) // there is no working directory
	}
	return path
}
