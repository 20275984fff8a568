package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mbl/internal/discovery"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

// maxFleetFile is the largest file of --from that is read, in bytes.
const maxFleetFile = 1 << 20

// nameSearch is how long names that no list has shown are looked for.
const nameSearch = 5 * time.Second

// member is one device of a fleet.
type member struct {
	name   string // as it announces itself; empty if it was named by its address
	target ssh.Target
	others []string // further addresses
}

func (m member) String() string {
	if m.name == "" {
		return m.target.String()
	}
	return fmt.Sprintf("%s (%s)", oneLine(m.name), m.target)
}

// members are the devices of -a, --from and --all together, each once.
func (a *app) members(ctx context.Context, opts fleetOptions) ([]member, error) {
	var members []member
	targets, err := a.addressedTargets()
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		members = append(members, member{target: target})
	}
	if opts.from != "" {
		listed, err := a.listedMembers(ctx, opts.from)
		if err != nil {
			return nil, err
		}
		members = append(members, listed...)
	}
	if opts.all {
		found, err := a.foundMembers(ctx)
		if err != nil {
			return nil, err
		}
		members = append(members, found...)
	}
	return eachOnce(members), nil
}

func eachOnce(members []member) []member {
	seen := map[string]bool{}
	return slices.DeleteFunc(members, func(m member) bool {
		address := m.target.String()
		defer func() { seen[address] = true }()
		return seen[address]
	})
}

// foundMembers are the devices on the network.
func (a *app) foundMembers(ctx context.Context) ([]member, error) {
	devices, err := a.discover(ctx, newSearch(), io.Discard, false)
	if err != nil {
		return nil, err
	}
	if len(devices) == 0 {
		return nil, noDevices()
	}
	return a.asMembers(devices)
}

func (a *app) asMembers(devices []foundDevice) ([]member, error) {
	var members []member
	for _, device := range devices {
		target, err := ssh.ParseTarget(device.Address)
		if err != nil {
			return nil, err
		}
		target.Alias = a.flags.configHostname
		members = append(members, member{name: device.Name, target: target, others: device.Addresses[1:]})
	}
	return members, nil
}

// listedMembers are the devices a file lists. A word that could be a host name
// is a device's name if the last list or the network has it.
func (a *app) listedMembers(ctx context.Context, file string) ([]member, error) {
	lines, err := a.fleetLines(ctx, file)
	if err != nil {
		return nil, err
	}
	known, err := a.devicesNamed(ctx, lines)
	if err != nil {
		return nil, err
	}
	var members []member
	for _, line := range lines {
		switch numbers := named(known, line.text); {
		case len(numbers) > 1:
			return nil, usererr.Usage("line %d of %s: %w", line.number, listName(file), namesakes(known, numbers, line.text)).
				WithHint("give the address in place of the name")
		case len(numbers) == 1:
			found, err := a.asMembers(known[numbers[0]-1 : numbers[0]])
			if err != nil {
				return nil, err
			}
			members = append(members, found...)
			continue
		}
		target, err := ssh.ParseTarget(line.text)
		if err != nil {
			return nil, usererr.Usage("line %d of %s: no device is named %q, and an address it is not", line.number, listName(file), line.text).
				WithHint("`mbl-cli list` shows the devices that answer now")
		}
		target.Alias = a.flags.configHostname
		members = append(members, member{target: target})
	}
	return members, nil
}

// devicesNamed are the devices that some of the lines may mean by their names.
func (a *app) devicesNamed(ctx context.Context, lines []fleetLine) ([]foundDevice, error) {
	known, err := a.recallList(time.Now())
	if err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	for _, line := range lines {
		if len(named(known, line.text)) == 0 && mayBeName(line.text) {
			missing[line.text] = true
		}
	}
	if len(missing) == 0 {
		return known, nil
	}
	s := newSearch()
	s.timeout = nameSearch
	s.config.Log = a.log()
	s.enough = func(device discovery.Device) bool {
		delete(missing, device.Name)
		return len(missing) == 0
	}
	a.progress("Looking for devices by their names.")
	found, err := s.run(ctx)
	if errors.Is(err, discovery.ErrNoNetwork) {
		return known, nil // they may be host names
	}
	all := known
	for _, device := range allFound(found) {
		if len(named(known, device.Name)) == 0 {
			all = append(all, device)
		}
	}
	return all, err
}

// mayBeName: it is no address, and no host name with a domain.
func mayBeName(text string) bool {
	target, err := ssh.ParseTarget(text)
	return err != nil || target.User == "" && target.Port == 0 && !strings.ContainsAny(target.Host, ".:")
}

// fleetLine is a line of --from's file that names a device.
type fleetLine struct {
	number int
	text   string
}

// listName is what a list of devices is called in messages.
func listName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// fleetLines reads the file, "-" being standard input.
func (a *app) fleetLines(ctx context.Context, file string) ([]fleetLine, error) {
	content, err := a.readFleetFile(ctx, file)
	if err != nil {
		return nil, usererr.Failure("cannot read the list of devices: %w", err).WithHint("--from names a text with an address or a name a line")
	}
	if !utf8.Valid(content) || len(content) > maxFleetFile {
		return nil, usererr.Failure("%s is no list of devices", listName(file)).WithHint("it is a text with an address or a name a line, of at most 1 MiB")
	}
	lines := parseFleetLines(string(content))
	if len(lines) == 0 {
		return nil, usererr.Failure("%s names no device", listName(file)).WithHint("it has an address or a name a line; # begins a comment")
	}
	return lines, nil
}

func (a *app) readFleetFile(ctx context.Context, file string) ([]byte, error) {
	// A pipe may keep us waiting.
	content, err := await(ctx, func() (string, error) {
		from, err := a.openFleetFile(file)
		if err != nil {
			return "", err
		}
		defer from.Close()
		content, err := io.ReadAll(io.LimitReader(from, maxFleetFile+1))
		return string(content), err
	})
	return []byte(content), err
}

func (a *app) openFleetFile(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.sys.In), nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder", file)
	}
	return os.Open(file)
}

// parseFleetLines takes comments and empty lines out. In the middle of a line a
// comment begins with " # ", so that a name may have a # in it.
func parseFleetLines(content string) []fleetLine {
	var lines []fleetLine
	number := 0
	for line := range strings.Lines(string(bytes.TrimPrefix([]byte(content), []byte("\uFEFF")))) {
		number++
		text, _, _ := strings.Cut(strings.TrimRight(line, "\r\n")+" ", " # ")
		text = strings.TrimSpace(text)
		if text != "" && text[0] != '#' {
			lines = append(lines, fleetLine{number, text})
		}
	}
	return lines
}
