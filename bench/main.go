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
)

func main() {
	server := flag.Bool("dtls-server", false, "be the bare server that handshakes are measured against")
	page := flag.String("page", "docs/benchmarks.md", "the `file` to write the results into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := func() error { return runAll(ctx, *page) }
	if *server {
		run = func() error { return serveHandshakes(ctx) }
	}
	if err := run(); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// benchmark measures one goal; dir is a folder of its own.
type benchmark func(ctx context.Context, dir string) (result, error)

func runAll(ctx context.Context, page string) error {
	scratch, err := os.MkdirTemp("", "mbl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	var results []result
	for i, measure := range []benchmark{programStart, provisioning, copying, connecting, fleetOfMany, fleetTogether} {
		dir := filepath.Join(scratch, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		r, err := measure(ctx, dir)
		if err != nil {
			return fmt.Errorf("cannot measure: %w", err)
		}
		fmt.Println(r.row())
		results = append(results, r)
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
