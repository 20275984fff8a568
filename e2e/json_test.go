package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mbl/e2e/stage"
)

// printedStory is a command of testdata/printed.txt and what it prints.
type printedStory struct {
	heading, command string
	want             any
}

// Each command prints what docs/cli-json.md promises: the names, and the values
// as far as they can be known beforehand.
func TestWhatCommandsPrintForPrograms(t *testing.T) {
	desk := newDesk(t)
	var told []string
	for _, story := range printedStories(t) {
		told = append(told, story.heading)
		words := strings.Fields(desk.expand(story.command))
		prints := func() error { return desk.prints(story, words) }
		err := prints()
		if story.heading == "get-pelion-status --all" && err != nil { // devices register in their own time
			err = stage.Until(prints)
		}
		if err != nil {
			t.Errorf("mbl-cli %s: %v", story.command, err)
		}
		if story.heading == "provision-pelion" {
			_, err := desk.service.Registered(desk.words["KEY"])
			check(t, err)
		}
	}
	for _, heading := range documentedCommands(t) {
		// The virtual device is no board that enroll knows; e2e/network has one.
		if heading != "enroll" && !slices.Contains(told, heading) {
			t.Errorf("docs/cli-json.md tells of %s, and testdata/printed.txt does not", heading)
		}
	}
}

// desk is a developer with a service and two virtual devices.
type desk struct {
	*stage.Workstation
	service *stage.Service
	words   map[string]string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{}
	var err error
	d.service, err = stage.StartService(programPath(t, "mbl-cloud"), filepath.Join(dir, "cloud"), stage.Options{Dir: dir}, stage.ServiceFlags()...)
	check(t, err)
	t.Cleanup(func() { d.service.Stop() })
	key, err := d.service.NewKey("json", "administrators")
	check(t, err)
	d.Workstation, err = stage.NewWorkstation(programPath(t, "mbl-cli"), dir)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(d.Home, "image"), []byte("an image"), 0o600))
	name := fmt.Sprintf("json-%d", os.Getpid())
	d.words = map[string]string{"URL": d.service.HTTP, "KEY": key, "HOME": d.Home, "BOARD": name}
	for word, flags := range map[string][]string{"ADDRESS": nil, "OTHER": {"--announce=false"}} {
		board, err := stage.StartDevice(programPath(t, "mbl-sandbox"), name, filepath.Join(dir, word), stage.Options{Dir: dir}, flags...)
		check(t, err)
		t.Cleanup(func() { board.Stop() })
		d.words[word] = board.Address
	}
	return d
}

func (d *desk) expand(text string) string {
	return os.Expand(text, func(word string) string { return d.words[word] })
}

// prints runs a command and compares what it prints.
func (d *desk) prints(story printedStory, words []string) error {
	out, err := d.Run(append([]string{"-o", "json"}, words...)...)
	if err != nil {
		return err
	}
	var got any
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&got); err != nil {
		return fmt.Errorf("it prints %q: %w", out, err)
	}
	if story.heading == "list" { // other tests have devices too
		got = slices.DeleteFunc(got.([]any), func(one any) bool { return one.(map[string]any)["name"] != d.words["BOARD"] })
	}
	return d.differences(story.want, got, "")
}

// differences tells where a value is not as wanted. … stands for anything.
func (d *desk) differences(want, got any, where string) error {
	switch want := want.(type) {
	case string:
		pattern := strings.ReplaceAll(regexp.QuoteMeta(d.expand(want)), "…", ".*")
		if text, ok := got.(string); !ok || !regexp.MustCompile("(?s)^"+pattern+"$").MatchString(text) {
			return fmt.Errorf("%s is %v, want %q", where, got, want)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s is %v, want %v", where, got, want)
		}
		var errs []error
		for i := range want {
			errs = append(errs, d.differences(want[i], list[i], fmt.Sprintf("%s[%d]", where, i)))
		}
		return errors.Join(errs...)
	case map[string]any:
		return d.differentFields(want, got, where)
	default:
		if !reflect.DeepEqual(want, got) {
			return fmt.Errorf("%s is %v, want %v", where, got, want)
		}
	}
	return nil
}

func (d *desk) differentFields(want map[string]any, got any, where string) error {
	fields, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %v, want an object", where, got)
	}
	var errs []error
	for name := range fields {
		if _, known := want[name]; !known {
			errs = append(errs, fmt.Errorf("%s.%s is there, and should not", where, name))
		}
	}
	for name, value := range want {
		if _, there := fields[name]; !there {
			errs = append(errs, fmt.Errorf("%s.%s is missing", where, name))
			continue
		}
		errs = append(errs, d.differences(value, fields[name], where+"."+name))
	}
	return errors.Join(errs...)
}

var commandHeading = regexp.MustCompile("(?m)^## `mbl-cli (.*)`$")

func printedStories(t *testing.T) []printedStory {
	t.Helper()
	page, err := os.ReadFile("testdata/printed.txt")
	check(t, err)
	blocks := strings.Split(string(page), "\n## ")[1:] // an introduction comes first
	var stories []printedStory
	for _, block := range blocks {
		head, rest, _ := strings.Cut(block, "\n")
		command, body, _ := strings.Cut(rest, "\n")
		story := printedStory{
			heading: strings.TrimSuffix(strings.TrimPrefix(head, "`mbl-cli "), "`"),
			command: strings.TrimPrefix(command, "$ mbl-cli "),
		}
		if err := json.Unmarshal([]byte(body), &story.want); err != nil {
			t.Fatalf("%s: %v", story.command, err)
		}
		stories = append(stories, story)
	}
	return stories
}

func documentedCommands(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/cli-json.md")
	check(t, err)
	var commands []string
	for _, found := range commandHeading.FindAllStringSubmatch(string(page), -1) {
		commands = append(commands, found[1])
	}
	return commands
}

func programPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	check(t, err)
	return path
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
