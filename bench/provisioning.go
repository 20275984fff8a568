package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
)

// provisioning holds provisioning a board over OpenSSH against logging in to
// it and doing nothing.
func provisioning(ctx context.Context, dir string) (result, error) {
	const turns = 15
	network, err := lan.New(dir)
	if err != nil {
		return result{}, err
	}
	defer network.Close()
	workstation, err := readyToProvision(network)
	if err != nil {
		return result{}, err
	}
	provision := func(context.Context) error {
		_, err := workstation.Run("-a", lan.BoardAddress, "--no-input", "provision-pelion", "boards", "updates")
		return err
	}
	home := filepath.Join(workstation.Home, ".ssh")
	login := command(os.Environ(), slices.Concat(network.OnWorkstation(), []string{
		"ssh", "-F", "none", "-i", filepath.Join(home, "id_ed25519"), "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile=" + filepath.Join(home, "known_hosts"),
		"root@" + lan.BoardAddress, "true",
	})...)
	ours, bare, err := inTurns(ctx, turns, provision, login)
	if err != nil {
		return result{}, err
	}
	return result{
		what:  "provisioning one board over OpenSSH",
		ours:  milliseconds(ours),
		bare:  milliseconds(bare) + " `ssh HOST true`",
		ratio: float64(ours) / float64(bare),
		goal:  atMost(1.5),
		how:   fmt.Sprintf("medians of %d runs, in turns; key login; certificate in the team store", turns),
	}, nil
}

// readyToProvision starts a board and a service, and provisions once, which
// leaves the certificate in the team store and the board's host key known.
func readyToProvision(network *lan.LAN) (*stage.Workstation, error) {
	board, err := network.StartBoard(lan.Board{
		Name: "bench-board", Server: "openssh", Login: "key",
		Device: program("mbl-device"), Util: program("mbl-device"),
	})
	if err != nil {
		return nil, err
	}
	_, workstation, err := network.StartService(program("mbl-cloud"), program("mbl-cli"))
	if err != nil {
		return nil, err
	}
	if err := board.LetIn(workstation); err != nil {
		return nil, err
	}
	return workstation, stage.Until(func() error {
		_, err := workstation.Run("-a", lan.BoardAddress, "--no-input", "provision-pelion", "boards", "updates",
			"--create-dev-cert", "--accept-new-host-key")
		return err
	})
}
