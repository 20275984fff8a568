// Command thermometer shows how a program on a device publishes resources of
// its own through mbl-device: a temperature the service can read (IPSO object
// 3303), and a lamp it can switch (3311) and make blink (a resource of our
// own, 26241). docs/device-applications.md describes the protocol.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	temperature = "/3303/0/5700"
	unit        = "/3303/0/5701"
	lamp        = "/3311/0/5850"
	blink       = "/26241/0/1"
)

func main() {
	socket := flag.String("socket", "/run/mbl-device/applications.sock", "where mbl-device listens")
	sensor := flag.String("sensor", "/sys/class/thermal/thermal_zone0/temp", "a file with thousandths of degrees")
	every := flag.Duration("every", 10*time.Second, "between two measurements")
	flag.Parse()
	for {
		err := serve(*socket, *sensor, *every)
		slog.Warn("connecting again", "err", err)
		time.Sleep(time.Second)
	}
}

// serve publishes, and then does what comes until the connection ends.
func serve(socket, sensor string, every time.Duration) error {
	conn, err := new(net.Dialer).DialContext(context.Background(), "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	say(conn, map[string]any{"do": "publish", "resources": []map[string]any{
		{"path": temperature, "type": "float", "value": measure(sensor)},
		{"path": unit, "type": "string", "value": "Cel"},
		{"path": lamp, "type": "boolean", "value": false, "writable": true},
		{"path": blink, "executable": true},
	}})
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(conn); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	for {
		select {
		case <-time.After(every):
			say(conn, map[string]any{"do": "set", "values": map[string]any{temperature: measure(sensor)}})
		case line, ok := <-lines:
			if !ok {
				return errors.New("mbl-device closed the connection")
			}
			hear(conn, line)
		}
	}
}

// hear does what the service asks, and answers.
func hear(conn net.Conn, line string) {
	var message struct {
		Do        string          `json:"do"`
		Request   uint64          `json:"request"`
		Path      string          `json:"path"`
		Value     json.RawMessage `json:"value"`
		Arguments string          `json:"arguments"`
		Error     string          `json:"error"`
	}
	if err := json.Unmarshal([]byte(line), &message); err != nil {
		slog.Error("not understood", "line", line)
		return
	}
	switch {
	case message.Error != "":
		slog.Error("refused", "reason", message.Error)
	case message.Do == "write":
		slog.Info("written", "path", message.Path, "value", string(message.Value))
		say(conn, map[string]any{"answer": message.Request})
	case message.Do == "execute":
		slog.Info("executed", "path", message.Path, "arguments", message.Arguments)
		say(conn, map[string]any{"answer": message.Request})
	}
}

func say(conn net.Conn, message map[string]any) {
	line, err := json.Marshal(message)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	if err != nil {
		slog.Error("cannot talk to mbl-device", "err", err) // reading will end too
	}
}

// measure reads a temperature in degrees Celsius, 0 where there is no sensor.
func measure(sensor string) float64 {
	content, err := os.ReadFile(sensor)
	if err != nil {
		return 0
	}
	thousandths, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return float64(thousandths) / 1000
}
