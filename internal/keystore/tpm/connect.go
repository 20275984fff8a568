package tpm

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/google/go-tpm/tpm2/transport"
)

// answerTime is how long a TPM may take for everything asked of it at once.
// Discrete ones need seconds to derive a key.
const answerTime = 30 * time.Second

// with runs a few commands on the TPM at path.
func with(path string, use func(transport.TPM) error) error {
	t, err := connect(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer t.Close()
	return use(t)
}

func connect(path string) (transport.TPMCloser, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&os.ModeSocket != 0:
		conn, err := dial(path)
		if err != nil {
			return nil, err
		}
		return transport.FromReadWriteCloser(conn), conn.SetDeadline(time.Now().Add(answerTime))
	case info.Mode()&os.ModeCharDevice != 0:
		device, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		return transport.FromReadWriteCloser(device), nil
	default:
		return nil, fmt.Errorf("%s is neither a device nor a socket", path)
	}
}

// dial waits for its turn: a software TPM talks with one program at a time.
func dial(path string) (*net.UnixConn, error) {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if !errors.Is(err, syscall.EAGAIN) || time.Since(begin) > answerTime {
			return conn, err
		}
	}
}

// IsThere tells whether there is a TPM that we may use at path.
func IsThere(path string) bool {
	t, err := connect(path)
	if err != nil {
		return false
	}
	return t.Close() == nil
}
