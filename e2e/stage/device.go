package stage

import (
	"bufio"
	"net"
	"strings"
	"time"
)

// Device is a running `mbl-sandbox device`.
type Device struct {
	*Process
	Root    string // its file tree
	Address string // host:port of its SSH server
}

// StartDevice runs a virtual device until its SSH server greets.
func StartDevice(program, name, root string, opts Options, flags ...string) (*Device, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	d := &Device{Root: root, Address: address}
	command := append([]string{program, "device", "--root", root, "--ssh", address, "--name", name}, flags...)
	if d.Process, err = Start(name, command, opts); err != nil {
		return nil, err
	}
	if err := d.Until("its SSH server greeted", func() bool { return greets(address) }); err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

// freeAddress finds a port of the loopback interface that nobody uses now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// greets tells whether an SSH server (RFC 4253 section 4.2) answers there.
func greets(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "SSH-2.0-")
}
