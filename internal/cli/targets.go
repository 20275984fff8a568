package cli

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"mbl/internal/credstore"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

// targets are the devices a command is to work with: those of -a, else the
// Host alias of -c, else the selected one.
func (a *app) targets() ([]ssh.Target, error) {
	if len(a.flags.addresses) > 0 {
		return a.addressedTargets()
	}
	if err := checkAlias(a.flags.configHostname); err != nil {
		return nil, err
	}
	if a.flags.configHostname != "" {
		return []ssh.Target{{Alias: a.flags.configHostname}}, nil
	}
	target, err := a.selectedTarget()
	if err != nil {
		return nil, err
	}
	return []ssh.Target{target}, nil
}

// checkAlias refuses what another program could take for an option.
func checkAlias(alias string) error {
	if strings.HasPrefix(alias, "-") || strings.ContainsFunc(alias, unicode.IsControl) || !utf8.ValidString(alias) {
		return usererr.Usage("--config-hostname: %q is no Host alias", alias).WithHint("it is a name after Host in ~/.ssh/config")
	}
	return nil
}

func (a *app) addressedTargets() ([]ssh.Target, error) {
	targets := make([]ssh.Target, 0, len(a.flags.addresses))
	for _, address := range a.flags.addresses {
		target, err := ssh.ParseTarget(address)
		if err != nil {
			return nil, err
		}
		target.Alias = a.flags.configHostname
		targets = append(targets, target)
	}
	return targets, nil
}

func (a *app) selectedTarget() (ssh.Target, error) {
	selection, err := a.selection()
	if err != nil {
		return ssh.Target{}, err
	}
	target, err := ssh.ParseTarget(selection.Address)
	if err != nil {
		return ssh.Target{}, usererr.Failure("the selected device: %w", err).WithHint("`mbl-cli select` chooses a device anew")
	}
	if selection.Username != "" {
		target.User = selection.Username
	}
	target.Password = selection.Password
	return target, nil
}

// selection is the selected device.
func (a *app) selection() (credstore.Selection, error) {
	path, err := a.selectionFile()
	if err != nil {
		return credstore.Selection{}, err
	}
	selection, err := credstore.LoadSelection(path)
	if errors.Is(err, credstore.ErrNotFound) {
		return credstore.Selection{}, usererr.Failure("no device is selected").Because(err).
			WithHint("`mbl-cli select` chooses one, or name it with --address")
	}
	return selection, err
}

func (a *app) selectionFile() (string, error) {
	home, err := a.home()
	if err != nil {
		return "", err
	}
	return credstore.SelectionFile(home), nil
}
