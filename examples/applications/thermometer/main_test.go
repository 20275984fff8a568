package main

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTheExampleSpeaksTheProtocol plays mbl-device.
func TestTheExampleSpeaksTheProtocol(t *testing.T) {
	dir := t.TempDir()
	sensor, socket := filepath.Join(dir, "temp"), filepath.Join(dir, "socket")
	if err := os.WriteFile(sensor, []byte("21500\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ended := make(chan error, 1)
	go func() { ended <- serve(socket, sensor, 10*time.Millisecond) }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	expect := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("never heard %s", want)
	}
	expect(`{"do":"publish","resources":[{"path":"/3303/0/5700","type":"float","value":21.5},` +
		`{"path":"/3303/0/5701","type":"string","value":"Cel"},` +
		`{"path":"/3311/0/5850","type":"boolean","value":false,"writable":true},{"executable":true,"path":"/26241/0/1"}]}`)
	expect(`{"do":"set","values":{"/3303/0/5700":21.5}}`)
	say(conn, map[string]any{"do": "write", "request": 7, "path": lamp, "value": true})
	expect(`{"answer":7}`)
	say(conn, map[string]any{"do": "execute", "request": 8, "path": blink, "arguments": ""})
	expect(`{"answer":8}`)
	_ = conn.Close()
	if err := <-ended; err == nil {
		t.Error("it goes on without a connection")
	}
}
