package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// configValues reads the entries of a configuration file that match a host.
// A file that the library cannot read (Match exec, Match originalhost) is put
// before ssh itself.
func configValues(ctx context.Context, file, host string) (values, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return func(string) ([]string, error) { return nil, nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the SSH configuration: %w", err)
	}
	config, err := ssh_config.DecodeBytes(content)
	if err != nil {
		return valuesOfSSH(ctx, file, host, err)
	}
	return func(keyword string) ([]string, error) { return config.GetAll(host, keyword) }, nil
}

// valuesOfSSH asks `ssh -G`, which prints every setting, one a line, keyword
// in lower case. cause is why it is asked.
func valuesOfSSH(ctx context.Context, file, host string, cause error) (values, error) {
	command := exec.CommandContext(ctx, "ssh", "-G", "-F", "/dev/stdin", "--", host)
	// Where the file is silent, ssh -G shows its own defaults, the local user
	// and a list of keys. This last entry puts ours in their place.
	command.Stdin = strings.NewReader(fmt.Sprintf("Include \"%s\"\nMatch all\n  User %s\n  IdentityFile none\n", file, DefaultUser))
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s (%w), and neither could ssh -G (%w): %s", file, cause, err, strings.TrimSpace(stderr.String()))
	}
	settings := parseSSHOutput(output)
	return func(keyword string) ([]string, error) { return settings[strings.ToLower(keyword)], nil }, nil
}

func parseSSHOutput(output []byte) map[string][]string {
	settings := map[string][]string{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		keyword, value, ok := strings.Cut(lines.Text(), " ")
		if ok {
			settings[keyword] = append(settings[keyword], value)
		}
	}
	return settings
}
