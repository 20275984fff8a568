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
	"mbl/e2e/stage"
)

const (
	copyTurns = 5
	copySize  = 128 << 20
)

// copying holds copying a large file to and from a board against OpenSSH's scp
// (which speaks SFTP and computes no checksums): as people do it, checksums
// compared, and without them.
func copying(ctx context.Context, dir string) ([]result, error) {
	network, err := lan.New(dir)
	if err != nil {
		return nil, err
	}
	defer network.Close()
	workstation, err := readyToProvision(network)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "image")
	if err := randomFile(file, copySize); err != nil {
		return nil, err
	}
	const there = "/tmp" // on the board
	bare := scpBothWays(network, workstation.Home, file, there)
	var results []result
	for _, way := range []struct {
		what  string
		flags []string
	}{
		{"copying 128 MiB to a board and back, checksums compared", nil},
		{"the same with `--no-checksum`", []string{"--no-checksum"}},
	} {
		ours := func(context.Context) error {
			return copyBothWays(workstation, way.flags, file, there)
		}
		oursTime, bareTime, err := inTurns(ctx, copyTurns, ours, bare)
		if err != nil {
			return nil, err
		}
		results = append(results, result{
			what:  way.what,
			ours:  throughput(2*copySize, oursTime),
			bare:  throughput(2*copySize, bareTime) + " `scp`",
			ratio: float64(bareTime) / float64(oursTime),
			goal:  atLeast(0.9),
			how:   fmt.Sprintf("medians of %d runs, in turns; OpenSSH's scp computes no checksums", copyTurns),
		})
	}
	return results, nil
}

func copyBothWays(w *stage.Workstation, flags []string, file, there string) error {
	put := slices.Concat([]string{"-q", "-a", lan.BoardAddress, "put"}, flags, []string{file, there + "/ours"})
	get := slices.Concat([]string{"-q", "-a", lan.BoardAddress, "get"}, flags, []string{there + "/ours", file + ".ours"})
	if _, err := w.Run(put...); err != nil {
		return err
	}
	_, err := w.Run(get...)
	return err
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
