package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
)

// ShowHostKey asks who listens at an address (host:port, an IPv6 one with its
// zone) for its host key, proven by the key exchange, and goes away without
// logging in. It returns the key's fingerprint, as ssh-keygen prints it.
func ShowHostKey(ctx context.Context, address string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", unreachable(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var shown string
	errSeen := errors.New("seen enough")
	_, _, _, err = ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		HostKeyAlgorithms: (&hostKeys{}).algorithms(),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = ssh.FingerprintSHA256(key)
			return errSeen
		},
	})
	if shown == "" {
		return "", fmt.Errorf("%w: it shows no host key: %w", ErrProtocol, err)
	}
	return shown, nil
}
