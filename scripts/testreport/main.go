// Command testreport tells `go test -json` shortly: a line for each package,
// the output of what failed, every skipped test with its reason, and at last
// the count. With CI=true a skipped test is a failure, since nobody would
// look at it there. scripts/test.sh calls it.
package main

import (
	"fmt"
	"os"
)

func main() {
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport: cannot read the test events:", err)
		os.Exit(1)
	}
	if !r.summarize(os.Getenv("CI") == "true") {
		os.Exit(1)
	}
}
