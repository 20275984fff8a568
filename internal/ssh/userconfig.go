package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"mbl/internal/ssh/sshconfig"
)

// configLines are the lines of the configuration that apply to a host. What
// only ssh itself can decide (Match exec, canonical names) is put before it.
func configLines(ctx context.Context, query sshconfig.Query, cfg Config) ([]sshconfig.Setting, error) {
	lines, err := sshconfig.Read(query, cfg.sources()...)
	var beyond *sshconfig.BeyondError
	if errors.As(err, &beyond) {
		lines, err = linesOfSSH(ctx, query, cfg, beyond)
	}
	if err != nil {
		return nil, err
	}
	return lines, refuseOthers(lines)
}

func (c Config) sources() []sshconfig.Source {
	sources := []sshconfig.Source{{File: c.sshFile("config")}}
	if c.SystemConfig != "" {
		sources = append(sources, sshconfig.Source{File: c.SystemConfig, System: true})
	}
	return sources
}

// linesOfSSH asks `ssh -G`, which prints every setting, one a line, keyword in
// lower case. cause is why it is asked.
func linesOfSSH(ctx context.Context, query sshconfig.Query, cfg Config, cause error) ([]sshconfig.Setting, error) {
	arguments := []string{"-G", "-F", "/dev/stdin"}
	if query.User != "" {
		arguments = append(arguments, "-l", query.User)
	}
	command := exec.CommandContext(ctx, "ssh", append(arguments, "--", query.Host)...)
	command.Stdin = strings.NewReader(configForSSH(query, cfg))
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%w, and there is no ssh program here", cause)
	case err != nil:
		return nil, fmt.Errorf("%w, and it cannot (%w): %s", cause, err, strings.TrimSpace(stderr.String()))
	}
	return parseSSHOutput(output), nil
}

// configForSSH includes the files. Where they are silent, ssh -G shows its own
// defaults, the local user and a list of keys; the last entry puts ours in
// their place.
func configForSSH(query sshconfig.Query, cfg Config) string {
	var text strings.Builder
	for _, source := range cfg.sources() {
		fmt.Fprintf(&text, "Match all\n  Include \"%s\"\n", source.File)
	}
	fmt.Fprintf(&text, "Match all\n  User %s\n  IdentityFile none\n", query.DefaultUser)
	return text.String()
}

// listKeywords are those whose values ssh -G parts by blanks.
const listKeywords = "userknownhostsfile globalknownhostsfile"

func parseSSHOutput(output []byte) []sshconfig.Setting {
	var settings []sshconfig.Setting
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		keyword, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || value == "" {
			continue
		}
		args := []string{value}
		if listed(listKeywords, keyword) {
			args = strings.Fields(value)
		}
		if len(args) > 0 {
			settings = append(settings, sshconfig.Setting{Keyword: strings.ToLower(keyword), Args: args})
		}
	}
	return settings
}
