package credstore

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
)

// Report is what is found about a store by looking at all of it.
type Report struct {
	Path     string
	Mode     fs.FileMode
	Group    string // that the folder belongs to; its number if it has no name here
	Writable bool   // by this person
	Items    int    // API keys of the user store, entries of the team store
	Problems []string
}

// Shared tells whether the folder hands its group on to what is made in it.
func (r Report) Shared() bool { return r.Mode&fs.ModeSetgid != 0 }

// Report looks at the user store.
func (u *UserStore) Report() (Report, error) {
	report, err := reportFolder(u.dir)
	if err != nil {
		return Report{}, fmt.Errorf("cannot look at the user store: %w", err)
	}
	if report.Mode.Perm()&0o077 != 0 {
		report.add("others may look into it; the next save closes it")
	}
	keys, err := u.readKeys()
	if err != nil {
		report.add("%v", err)
	}
	report.Items = len(keys)
	if _, err := u.readPins(); err != nil {
		report.add("%v", err)
	}
	return report, nil
}

// Report looks at the team store and at every entry in it.
func (t *TeamStore) Report() (Report, error) {
	report, err := reportFolder(t.dir)
	if err != nil {
		return Report{}, fmt.Errorf("cannot look at the team store: %w", err)
	}
	entries, err := t.list(nil)
	if err != nil {
		report.add("%v", err)
	}
	report.Items = len(entries)
	for _, entry := range entries {
		if entry.Problem != nil {
			report.add("%s: %v", entry.Name, entry.Problem)
		}
	}
	report.compare(t, entries)
	return report, nil
}

// compare finds what config.json and the folders do not agree about.
func (r *Report) compare(t *TeamStore, entries []Entry) {
	_, certs, err := t.readCerts()
	if err != nil {
		r.add("%v", err)
		return
	}
	for _, entry := range entries {
		if _, named := certs[entry.Name]; !named {
			r.add("%s: %s does not name it, so the original tool does not see it", entry.Name, configFile)
		}
	}
	for _, name := range sortedNames(certs) {
		if err := CheckName(name); err != nil {
			r.add("%s names an entry that cannot be one: %v", configFile, err)
		}
	}
}

// add notes a problem; several questions may meet the same.
func (r *Report) add(format string, args ...any) {
	if problem := fmt.Sprintf(format, args...); !slices.Contains(r.Problems, problem) {
		r.Problems = append(r.Problems, problem)
	}
}

func reportFolder(path string) (Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Report{}, err
	}
	report := Report{Path: path, Mode: info.Mode(), Group: groupName(groupOf(info)), Writable: writable(path, info)}
	if !report.Writable {
		report.add("you may not write into it")
	}
	if _, err := os.Lstat(lockPath(path)); err == nil {
		report.add("%s is there: somebody is changing the store, or a process died doing so", lockFile)
	}
	return report, nil
}

func groupName(number int) string {
	if number < 0 {
		return ""
	}
	text := strconv.Itoa(number)
	if group, err := user.LookupGroupId(text); err == nil {
		return group.Name
	}
	return text
}
