package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// result is one line of the table.
type result struct {
	what, ours, bare string
	ratio            float64
	goal             goal
	how              string
}

// goal is a bound of a ratio.
type goal struct {
	bound float64
	least bool // at least, not at most
}

func atMost(bound float64) goal  { return goal{bound, false} }
func atLeast(bound float64) goal { return goal{bound, true} }

func (g goal) met(ratio float64) bool {
	if g.least {
		return ratio >= g.bound
	}
	return ratio <= g.bound
}

func (g goal) String() string {
	if g.least {
		return fmt.Sprintf("≥ %.2f", g.bound)
	}
	return fmt.Sprintf("≤ %.2f", g.bound)
}

func (r result) row() string {
	met := "yes"
	if !r.goal.met(r.ratio) {
		met = "**no**"
	}
	return fmt.Sprintf("| %s | %s | %s | %.2f | %s | %s | %s |", r.what, r.ours, r.bare, r.ratio, r.goal, met, r.how)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

const (
	beginMarker = "<!-- results begin: written by make bench -->"
	endMarker   = "<!-- results end -->"
)

// writeInto replaces what stands between the markers of a page.
func writeInto(page string, results []result) error {
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(content), beginMarker)
	_, after, ok2 := strings.Cut(rest, endMarker)
	if !ok || !ok2 {
		return fmt.Errorf("%s lacks the markers %q and %q", page, beginMarker, endMarker)
	}
	text := before + beginMarker + "\n" + table(results) + endMarker + after
	return os.WriteFile(page, []byte(text), 0o644)
}

func table(results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n", time.Now().UTC().Format("2006-01-02"), machine())
	b.WriteString("| what | ours | bare | ratio | goal | met | how |\n|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		b.WriteString(r.row() + "\n")
	}
	return b.String()
}

// machine says where the figures are from.
func machine() string {
	return fmt.Sprintf("%s, %d CPUs (%s), %s, %s, load before the run %s", runtime.GOOS+"/"+runtime.GOARCH,
		runtime.NumCPU(), processor(), runtime.Version(), openSSH(), load())
}

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func openSSH() string {
	out, err := exec.Command("ssh", "-V").CombinedOutput()
	if err != nil {
		return "no OpenSSH"
	}
	version, _, _ := strings.Cut(string(out), ",")
	return strings.TrimSpace(version)
}

func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(content), " ")
	return first
}
