package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`. Lines about
// building carry ImportPath in place of Package.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// test is one test or subtest while it runs and after.
type test struct {
	name     string
	output   []string
	parent   bool // it has subtests, which are counted in its place
	finished bool
}

// testPackage is one package under test.
type testPackage struct {
	tests   map[string]*test
	order   []*test
	output  []string
	passed  int
	failed  int
	skipped int
}

type skip struct{ name, reason string }

// report gathers the events of one run.
type report struct {
	out      io.Writer
	packages map[string]*testPackage
	builds   map[string][]string // compiler output by import path
	passed   int
	failed   int
	skips    []skip
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*testPackage{}, builds: map[string][]string{}}
}

// read takes events until in ends and tells about each package as it ends.
// Lines that are no event are shown as they are.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(r.out, line)
		return
	}
	switch {
	case e.Action == "build-output":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
	case e.Package == "":
	case e.Test == "":
		r.packageEvent(e)
	default:
		r.testEvent(e)
	}
}

func (r *report) pkg(name string) *testPackage {
	p := r.packages[name]
	if p == nil {
		p = &testPackage{tests: map[string]*test{}}
		r.packages[name] = p
	}
	return p
}

func (p *testPackage) test(name string) *test {
	t := p.tests[name]
	if t != nil {
		return t
	}
	t = &test{name: name}
	p.tests[name] = t
	p.order = append(p.order, t)
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		p.test(name[:i]).parent = true
	}
	return t
}

func (r *report) testEvent(e event) {
	p := r.pkg(e.Package)
	t := p.test(e.Test)
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "pass":
		t.finished = true
		if !t.parent {
			p.passed++
		}
	case "skip":
		t.finished = true
		p.skipped++
		r.skips = append(r.skips, skip{e.Package + " " + t.name, reason(t.output)})
	case "fail":
		t.finished = true
		r.failTest(p, t)
	}
}

// failTest counts a failed test, and a failed parent only where no subtest of
// it failed: one mistake counts once.
func (r *report) failTest(p *testPackage, t *test) {
	if t.parent && p.failed > 0 {
		return
	}
	p.failed++
	r.show(t.output)
}

func (r *report) packageEvent(e event) {
	p := r.pkg(e.Package)
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
	case "pass", "skip", "fail":
		r.endPackage(e, p)
	}
}

func (r *report) endPackage(e event, p *testPackage) {
	if e.Action == "fail" && p.failed == 0 {
		p.failed = 1
		r.explainPackage(e, p)
	}
	r.passed += p.passed
	r.failed += p.failed
	delete(r.packages, e.Package)
	if p.passed+p.failed+p.skipped == 0 {
		return
	}
	word := "ok  "
	if p.failed > 0 {
		word = "FAIL"
	}
	fmt.Fprintf(r.out, "%s  %-34s %4d passed %8.1f s\n", word, e.Package, p.passed, e.Elapsed)
}

// explainPackage shows why a package failed although none of its tests did:
// it did not compile, it died, or it took too long.
func (r *report) explainPackage(e event, p *testPackage) {
	r.show(r.builds[e.FailedBuild])
	for _, t := range p.order {
		if !t.finished {
			r.show(t.output)
		}
	}
	r.show(p.output)
}

func (r *report) show(output []string) {
	for _, line := range output {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(r.out, line)
		}
	}
}

// summarize prints the skipped tests and the closing line. It says whether
// all is well.
func (r *report) summarize(ci bool) bool {
	if len(r.skips) > 0 {
		fmt.Fprintln(r.out, "\nCould not run:")
	}
	for _, s := range r.skips {
		fmt.Fprintf(r.out, "  %s: %s\n", s.name, s.reason)
	}
	if ci && len(r.skips) > 0 {
		fmt.Fprintln(r.out, "With CI=true a test that could not run is a failure.")
	}
	if unfinished := len(r.packages); unfinished > 0 {
		fmt.Fprintf(r.out, "%d packages did not come to an end.\n", unfinished)
		r.failed += unfinished
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skips))
	if r.passed+r.failed+len(r.skips) == 0 {
		fmt.Fprintln(r.out, "No test ran at all, which is a failure.")
		return false
	}
	return r.failed == 0 && (!ci || len(r.skips) == 0)
}

// position is how the testing package begins what a test says: "x_test.go:12: ".
var position = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

// reason is the last thing a skipped test said.
func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		if at := position.FindString(output[i]); at != "" {
			return strings.TrimSpace(output[i][len(at):])
		}
	}
	return "no reason given"
}
