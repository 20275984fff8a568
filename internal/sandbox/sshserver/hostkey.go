package sshserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/ssh"

	"mbl/internal/sandbox/devicetree"
)

const (
	hostKeyDir  = "/etc/ssh"
	hostKeyFile = hostKeyDir + "/ssh_host_ed25519_key"
)

// LoadHostKey reads the device's host key from its tree, or makes one there.
func LoadHostKey(tree *devicetree.Tree) (ssh.Signer, error) {
	data, err := tree.ReadFile(hostKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = makeHostKey(tree)
	}
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", hostKeyFile, err)
	}
	return key, nil
}

func makeHostKey(tree *devicetree.Tree) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, fmt.Errorf("cannot write a host key: %w", err)
	}
	data := pem.EncodeToMemory(block)
	if err := tree.MkdirAll(hostKeyDir, 0o755); err != nil {
		return nil, err
	}
	return data, tree.WriteFile(hostKeyFile, data, 0o600)
}
