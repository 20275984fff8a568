package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mbl/e2e/lan"
)

// copying holds copying a large file to and from a board against OpenSSH's scp
// (which speaks SFTP), both without computing checksums.
func copying(ctx context.Context, dir string) (result, error) {
	const (
		turns = 5
		size  = 128 << 20
	)
	network, err := lan.New(dir)
	if err != nil {
		return result{}, err
	}
	defer network.Close()
	workstation, err := readyToProvision(network)
	if err != nil {
		return result{}, err
	}
	file := filepath.Join(dir, "image")
	if err := randomFile(file, size); err != nil {
		return result{}, err
	}
	const there = "/tmp" // on the board
	ours := func(context.Context) error {
		_, err := workstation.Run("-q", "-a", lan.BoardAddress, "put", "--no-checksum", file, there+"/ours")
		if err == nil {
			_, err = workstation.Run("-q", "-a", lan.BoardAddress, "get", "--no-checksum", there+"/ours", file+".ours")
		}
		return err
	}
	oursTime, bareTime, err := inTurns(ctx, turns, ours, scpBothWays(network, workstation.Home, file, there))
	if err != nil {
		return result{}, err
	}
	return result{
		what:  "copying 128 MiB to a board and back",
		ours:  throughput(2*size, oursTime),
		bare:  throughput(2*size, bareTime) + " `scp`",
		ratio: float64(bareTime) / float64(oursTime),
		goal:  atLeast(0.9),
		how:   fmt.Sprintf("medians of %d runs, in turns; `--no-checksum` against OpenSSH's scp, which computes none", turns),
	}, nil
}

func scpBothWays(network *lan.LAN, home, file, there string) func(context.Context) error {
	scp := func(from, to string) func(context.Context) error {
		ssh := filepath.Join(home, ".ssh")
		return command(os.Environ(), slices.Concat(network.OnWorkstation(), []string{
			"scp", "-q", "-F", "none", "-i", filepath.Join(ssh, "id_ed25519"), "-o", "BatchMode=yes",
			"-o", "UserKnownHostsFile=" + filepath.Join(ssh, "known_hosts"), from, to,
		})...)
	}
	board := "root@" + lan.BoardAddress + ":" + there + "/bare"
	put, get := scp(file, board), scp(board, file+".bare")
	return func(ctx context.Context) error {
		if err := put(ctx); err != nil {
			return err
		}
		return get(ctx)
	}
}

func randomFile(name string, size int) error {
	content := make([]byte, size)
	if _, err := rand.Read(content); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o600)
}

func throughput(bytes int, d time.Duration) string {
	return fmt.Sprintf("%.0f MB/s", float64(bytes)/1e6/d.Seconds())
}
