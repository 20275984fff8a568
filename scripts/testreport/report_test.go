package main

import (
	"strings"
	"testing"
)

func summarize(t *testing.T, ci bool, events string) (ok bool, out string) {
	t.Helper()
	var b strings.Builder
	r := newReport(&b)
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	ok = r.summarize(ci)
	return ok, b.String()
}

const passing = `{"Action":"run","Package":"mbl/a","Test":"TestOne"}
{"Action":"output","Package":"mbl/a","Test":"TestOne","Output":"=== RUN   TestOne\n"}
{"Action":"output","Package":"mbl/a","Test":"TestOne","Output":"    a_test.go:3: chatter\n"}
{"Action":"run","Package":"mbl/a","Test":"TestOne/sub"}
{"Action":"pass","Package":"mbl/a","Test":"TestOne/sub"}
{"Action":"pass","Package":"mbl/a","Test":"TestOne"}
{"Action":"pass","Package":"mbl/a","Elapsed":0.5}
`

const failing = `{"Action":"run","Package":"mbl/a","Test":"TestOne"}
{"Action":"run","Package":"mbl/a","Test":"TestOne/sub"}
{"Action":"output","Package":"mbl/a","Test":"TestOne/sub","Output":"    a_test.go:3: got 1, want 2\n"}
{"Action":"fail","Package":"mbl/a","Test":"TestOne/sub"}
{"Action":"fail","Package":"mbl/a","Test":"TestOne"}
{"Action":"fail","Package":"mbl/a","Elapsed":0.5}
`

const skipping = `{"Action":"run","Package":"mbl/a","Test":"TestRoot"}
{"Action":"output","Package":"mbl/a","Test":"TestRoot","Output":"=== RUN   TestRoot\n"}
{"Action":"output","Package":"mbl/a","Test":"TestRoot","Output":"    a_test.go:9: needs root\n"}
{"Action":"output","Package":"mbl/a","Test":"TestRoot","Output":"--- SKIP: TestRoot (0.00s)\n"}
{"Action":"skip","Package":"mbl/a","Test":"TestRoot"}
{"Action":"pass","Package":"mbl/a","Elapsed":0.5}
`

const notCompiling = `{"ImportPath":"mbl/a [mbl/a.test]","Action":"build-output","Output":"a.go:1: undefined: x\n"}
{"ImportPath":"mbl/a [mbl/a.test]","Action":"build-fail"}
{"Action":"start","Package":"mbl/a"}
{"Action":"fail","Package":"mbl/a","Elapsed":0,"FailedBuild":"mbl/a [mbl/a.test]"}
`

const dying = `{"Action":"run","Package":"mbl/a","Test":"TestOne"}
{"Action":"output","Package":"mbl/a","Test":"TestOne","Output":"panic: oh no\n"}
{"Action":"fail","Package":"mbl/a","Elapsed":0.5}
`

const cutShort = `{"Action":"run","Package":"mbl/a","Test":"TestOne"}
{"Action":"pass","Package":"mbl/a","Test":"TestOne"}
`

func TestTheLastLineCountsAndTheVerdictFollows(t *testing.T) {
	for _, c := range []struct {
		name, events string
		ci, ok       bool
		last         string
		says         string
	}{
		{"all pass", passing, true, true, "1 passed, 0 failed, 0 skipped", "ok    mbl/a"},
		{"one mistake counts once", failing, false, false, "0 passed, 1 failed, 0 skipped", "got 1, want 2"},
		{"a skip is listed with its reason", skipping, false, true, "0 passed, 0 failed, 1 skipped", "mbl/a TestRoot: needs root"},
		{"a skip fails in CI", skipping, true, false, "0 passed, 0 failed, 1 skipped", "needs root"},
		{"a package that does not compile", notCompiling, false, false, "0 passed, 1 failed, 0 skipped", "undefined: x"},
		{"a package that dies", dying, false, false, "0 passed, 1 failed, 0 skipped", "panic: oh no"},
		{"a run that is cut short", cutShort, false, false, "0 passed, 1 failed, 0 skipped", "did not come to an end"},
		{"nothing at all", "", false, false, "No test ran at all, which is a failure.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, out := summarize(t, c.ci, c.events)
			if ok != c.ok {
				t.Errorf("verdict %v, want %v", ok, c.ok)
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if last := lines[len(lines)-1]; last != c.last {
				t.Errorf("last line %q, want %q", last, c.last)
			}
			if !strings.Contains(out, c.says) {
				t.Errorf("does not say %q:\n%s", c.says, out)
			}
		})
	}
}

func TestWhatPassingTestsSayIsNotShown(t *testing.T) {
	if _, out := summarize(t, false, passing); strings.Contains(out, "chatter") {
		t.Errorf("shows what a passing test said:\n%s", out)
	}
}

func TestLinesThatAreNoEventAreShown(t *testing.T) {
	if _, out := summarize(t, false, "go: cannot find main module\n"+passing); !strings.HasPrefix(out, "go: cannot find") {
		t.Errorf("swallowed a line that is no event:\n%s", out)
	}
}
