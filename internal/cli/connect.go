package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mbl/internal/secret"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

// addHostKeyFlag declares the flag of every command that logs in to a device.
func addHostKeyFlag(cmd *cobra.Command, accept *bool) {
	cmd.Flags().BoolVar(accept, "accept-new-host-key", false, "trust the key of a device that was never connected to before")
}

// target is the one device of a command that works with one.
func (a *app) target() (ssh.Target, error) {
	targets, err := a.targets()
	if err != nil {
		return ssh.Target{}, err
	}
	if len(targets) > 1 {
		return ssh.Target{}, usererr.Usage("this command works with one device at a time").WithHint("give --address once")
	}
	return targets[0], nil
}

// systemSSHConfig is where OpenSSH has the computer's own settings.
const systemSSHConfig = "/etc/ssh/ssh_config"

// connect logs in to a device. Where somebody sits at a terminal, they are
// asked for what is missing.
func (a *app) connect(ctx context.Context, target ssh.Target, acceptNewHostKey bool) (*ssh.Client, error) {
	config, err := a.sshConfig(acceptNewHostKey)
	if err != nil {
		return nil, err
	}
	if a.interactive() {
		config.AskHostKey = a.askHostKey
		config.AskPassword = a.askPassword
		config.AskPassphrase = a.askPassphrase
	}
	return ssh.Dial(ctx, target, config)
}

// sshConfig is how this person logs in without being asked anything.
func (a *app) sshConfig(acceptNewHostKey bool) (ssh.Config, error) {
	home, err := a.home()
	return ssh.Config{
		Home:             home,
		AgentSocket:      a.sys.Getenv("SSH_AUTH_SOCK"),
		SystemConfig:     systemSSHConfig,
		Getenv:           a.sys.Getenv,
		AcceptNewHostKey: acceptNewHostKey,
		Warn:             func(text string) { a.warn("%s", text) },
		Stderr:           a.sys.Err,
		Log:              a.log(),
	}, err
}

func (a *app) askHostKey(ctx context.Context, key ssh.HostKey) (bool, error) {
	fmt.Fprintf(a.sys.Err, "%s is not known yet. Its %s host key is\n  %s\n", oneLine(key.Host), oneLine(key.Type), oneLine(key.Fingerprint))
	return a.confirm(ctx, "Compare it with the device. Trust it?")
}

func (a *app) askPassword(ctx context.Context, target ssh.Target) (secret.Text, error) {
	text, err := a.askSecret(ctx, fmt.Sprintf("Password of %s: ", oneLine(target.String())))
	return secret.New(text), err
}

func (a *app) askPassphrase(ctx context.Context, file string) (secret.Text, error) {
	text, err := a.askSecret(ctx, fmt.Sprintf("Passphrase of %s: ", oneLine(file)))
	return secret.New(text), err
}

// deviceText makes what a device sent fit for a terminal: its lines, without
// control characters, and with an end.
func deviceText(text string) string {
	var clean strings.Builder
	for line := range strings.Lines(text) {
		clean.WriteString(oneLine(line) + "\n")
	}
	return clean.String()
}
