package hostinfo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// settleTime is how long changes are collected: a cable that is plugged in
// brings link, addresses and routes one after the other.
const settleTime = 500 * time.Millisecond

// WatchNetwork returns a channel that gets an element when links, addresses or
// routes of the machine have changed (rtnetlink(7)), until ctx ends. Changes
// that nobody waits for are one.
func WatchNetwork(ctx context.Context) (<-chan struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("cannot watch the network: %w", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
		unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot watch the network: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	context.AfterFunc(ctx, func() { _ = socket.Close() })
	changed := make(chan struct{}, 1)
	go func() {
		for readAnything(socket) {
			time.Sleep(settleTime)
			drain(socket)
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed, nil
}

// readAnything waits for a message. One that was too many for the kernel's
// queue (ENOBUFS) is a change too.
func readAnything(socket *os.File) bool {
	buffer := make([]byte, 4096)
	_, err := socket.Read(buffer)
	return err == nil || errors.Is(err, unix.ENOBUFS)
}

// drain reads what has come meanwhile.
func drain(socket *os.File) {
	_ = socket.SetReadDeadline(time.Now().Add(time.Millisecond))
	for readAnything(socket) {
	}
	_ = socket.SetReadDeadline(time.Time{})
}
