// Package e2e drives the real programs on loopback, one script a story:
// testdata/AREA/*.txtar. Every folder of testdata is an area; README.md there
// lists the commands the scripts have on top of testscript's own.
package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mbl/e2e/programs"
	"mbl/internal/program/programtest"
)

func TestMain(m *testing.M) {
	programtest.DefaultSignals()
	testscript.Main(m, programs.All())
}

func TestScripts(t *testing.T) {
	areas, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, area := range areas {
		if !area.IsDir() {
			continue
		}
		t.Run(area.Name(), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:                 filepath.Join("testdata", area.Name()),
				Setup:               setUp,
				Cmds:                commands,
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
			})
		})
	}
}

// setUp gives each script a home of its own and processes to start.
func setUp(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	vectors, err := filepath.Abs("../testdata/vectors")
	if err != nil {
		return err
	}
	env.Setenv("VECTORS", vectors)
	examples, err := filepath.Abs("../examples")
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLES", examples)
	running := &running{}
	env.Values[runningKey{}] = running
	env.Defer(running.stopAll)
	return nil
}
