package cli_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/ssh/sshtest"
)

// instead makes something else than an SSH server answer at the device's
// address.
func instead(serve func(net.Conn)) func(w *workplace) {
	return func(w *workplace) {
		address := sshtest.Listen(w.t, serve)
		w.write("home/.mbl-dev.json", strings.ReplaceAll(w.read("home/.mbl-dev.json"), w.address, address))
		w.write("home/.ssh/config", "Host *\n  ConnectTimeout 1\n")
		w.words["DEVICE"] = address
	}
}

func (w *workplace) read(name string) string {
	content, err := os.ReadFile(filepath.Join(w.dir, name))
	w.must(err)
	return string(content)
}

// program gives the device a program that goes before the usual one.
func (w *workplace) program(name, script string) {
	w.write("device/"+name, "#!/bin/sh\n"+script+"\n")
	w.must(os.Chmod(filepath.Join(string(w.device), name), 0o755))
}

// badDevices make the chosen device one that does not do as it should.
func badDevices() map[string]func(w *workplace) {
	says := func(text string) func(net.Conn) {
		return func(conn net.Conn) { _, _ = conn.Write([]byte(text)); conn.Close() }
	}
	silent := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	return map[string]func(w *workplace){
		"refuses the connection": func(w *workplace) {
			w.write("home/.mbl-dev.json", `{"hostname": "board", "address": "127.0.0.1:1", "username": "root", "password": "open"}`)
		},
		"hangs up":        instead(says("")),
		"is a web server": instead(says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
		"says nothing":    instead(silent),
		"sends rubbish":   instead(says(strings.Repeat("\xff\x00\x1b[2J", 1<<16))),
		"greets by half":  instead(says("SSH-2.0-Open")),
		"refuses the password": func(w *workplace) {
			w.write("home/.mbl-dev.json", strings.Replace(w.read("home/.mbl-dev.json"), "open", "shut", 1))
		},
		"has another host key":      func(w *workplace) { w.otherHostKey() },
		"has a host key never seen": func(w *workplace) { w.write("home/.ssh/known_hosts", "") },
		"drops the connection": func(w *workplace) {
			w.util(`touch "$DEVICE_ROOT/running"; exec sleep 600`)
			w.started = func() { go w.dropOnce() }
		},
		"has no util":               func(w *workplace) { w.must(os.Remove(filepath.Join(string(w.device), "util"))) },
		"has a util without rights": func(w *workplace) { w.must(os.Chmod(filepath.Join(string(w.device), "util"), 0o600)) },
		"has an old util":           func(w *workplace) { w.util(`echo "usage: pelion-provisioning-util" >&2; exit 2`) },
		"has a util that hangs":     func(w *workplace) { w.util("exec sleep 600"); w.hurried = true },
		"has a util that crashes":   func(w *workplace) { w.util("kill -SEGV $$") },
		"has a util of rubbish":     func(w *workplace) { w.util(`printf '\377\033[2J\000\n'; exit 1`) },
		"has a util that says all":  func(w *workplace) { w.util(`yes | head -c 3000000; exit 1`) },
		"has no /scratch":           func(w *workplace) { w.must(os.Remove(filepath.Join(string(w.device), "scratch"))) },
		"has a full disk": func(w *workplace) {
			w.program("mkdir", `echo "mkdir: cannot create directory: No space left on device" >&2; exit 1`)
		},
		"has a read-only disk": func(w *workplace) {
			w.program("mkdir", `echo "mkdir: cannot create directory: Read-only file system" >&2; exit 1`)
		},
		"has no shell": func(w *workplace) { w.noShell = true },
	}
}

func TestBadDevices(t *testing.T) {
	const provision, status = "provision-pelion boards updates", "get-pelion-status"
	devices := badDevices()
	refuses(t, []mishap{
		{name: "get-pelion-status/drops the connection", given: devices["drops the connection"], typed: status, code: 255, says: "the connection to the device was lost in the middle of a command", hint: "check the device and the network, and run the command again", leaves: "device/running$"},
		{name: "get-pelion-status/greets by half", given: devices["greets by half"], typed: status, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it hung up in the midst of its greeting", hint: "check the address and the port; -v shows the cause"},
		{name: "get-pelion-status/hangs up", given: devices["hangs up"], typed: status, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it closed the connection without a greeting; it may be busy, or keep this computer out", hint: "check the address and the port; -v shows the cause"},
		{name: "get-pelion-status/has a host key never seen", given: devices["has a host key never seen"], typed: status, code: 255, says: "the host key of … is not known: ssh-ed25519 …", hint: "compare it with the device's (`ssh-keygen -lf` on /etc/ssh/ssh_host_*_key.pub there), then add --accept-new-host-key"},
		{name: "get-pelion-status/has a util of rubbish", given: devices["has a util of rubbish"], typed: status, code: 255, says: "Your device is not correctly configured for Pelion Device Management: �[2J", hint: "`mbl-cli provision-pelion` provisions it", shows: true},
		{name: "get-pelion-status/has a util that crashes", given: devices["has a util that crashes"], typed: status, code: 255, says: "the device's pelion-provisioning-util crashed or was killed…", hint: "is memory short there? Look with `mbl-cli shell`, and run the command again"},
		{name: "get-pelion-status/has a util that hangs", given: devices["has a util that hangs"], typed: status, code: 255, says: "pelion-provisioning-util did not finish in time: the device gave it 1m0s", hint: "look what hangs there with `mbl-cli shell`, or start the device anew, and run the command again"},
		{name: "get-pelion-status/has a util that says all", given: devices["has a util that says all"], typed: status, code: 255, says: "the device sends more than 1 MiB where a few lines were expected", hint: "look what it says there with `mbl-cli shell`"},
		{name: "get-pelion-status/has a util without rights", given: devices["has a util without rights"], typed: status, code: 255, says: "the device's pelion-provisioning-util cannot be run there: it is empty, or this account may not execute it", hint: "is it a program for that processor? Move it away, and `mbl-cli enroll` puts the right mbl-device there"},
		{name: "get-pelion-status/has an old util", given: devices["has an old util"], typed: status, code: 255, says: "the device's pelion-provisioning-util cannot tell whether it is provisioned: usage: pelion-provisioning-util", hint: "it does not know --get-pelion-status: bring the device's software up to date, or move it away and put mbl-device there with `mbl-cli enroll`"},
		{name: "get-pelion-status/has another host key", given: devices["has another host key"], typed: status, code: 255, says: "the host key of … has changed: it is ssh-ed25519 … now, known is ssh-ed25519 … ($HOME/.ssh/known_hosts:1)", hint: "if the device was flashed anew, forget the old key with `ssh-keygen -f $HOME/.ssh/known_hosts -R '…'`; if not, somebody may be listening in"},
		{name: "get-pelion-status/has no shell", given: devices["has no shell"], typed: status, code: 255, says: "the device gave no intelligible answer: This account is currently not available.", hint: "the account on the device needs a POSIX shell; -v shows more"},
		{name: "get-pelion-status/has no util", given: devices["has no util"], typed: status, code: 255, says: "the device has no /opt/arm/pelion-provisioning-util", hint: "is this an Mbed Linux OS device, or a board with mbl-device on it?"},
		{name: "get-pelion-status/is a web server", given: devices["is a web server"], typed: status, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it answers \"HTTP/1.1 400 Bad Request\"", hint: "check the address and the port; -v shows the cause"},
		{name: "get-pelion-status/refuses the connection", given: devices["refuses the connection"], typed: status, code: 255, says: "cannot log in to root@127.0.0.1:1: the device cannot be reached: nothing listens on that port", hint: "is it switched on, on this network, with an SSH server? `mbl-cli list` shows the devices that answer"},
		{name: "get-pelion-status/refuses the password", given: devices["refuses the password"], typed: status, code: 255, says: "the device refused the login as root; tried: none, password", hint: "give the account a key or password the device knows; `ssh-copy-id` puts your key there; it takes: password"},
		{name: "get-pelion-status/says nothing", given: devices["says nothing"], typed: status, code: 255, says: "cannot log in to root@$DEVICE: the device does not answer in time: it took the connection and sent no greeting", hint: "is it switched on, and does a firewall let SSH through? `mbl-cli list` shows the devices that answer"},
		{name: "get-pelion-status/sends rubbish", given: devices["sends rubbish"], typed: status, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it answers \"…\"", hint: "check the address and the port; -v shows the cause"},
		{name: "provision-pelion/drops the connection", given: devices["drops the connection"], typed: provision, code: 255, says: "the connection to the device was lost in the middle of a command; the device deletes the credentials by itself and may be provisioned or not", hint: "check the device and the network, and run the command again", leaves: "device/running$"},
		{name: "provision-pelion/greets by half", given: devices["greets by half"], typed: provision, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it hung up in the midst of its greeting", hint: "check the address and the port; -v shows the cause"},
		{name: "provision-pelion/hangs up", given: devices["hangs up"], typed: provision, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it closed the connection without a greeting; it may be busy, or keep this computer out", hint: "check the address and the port; -v shows the cause"},
		{name: "provision-pelion/has a full disk", given: devices["has a full disk"], typed: provision, code: 255, says: "no space is left on the device's /scratch: mkdir: cannot create directory: No space left on device", hint: "make some room there, and run the command again"},
		{name: "provision-pelion/has a host key never seen", given: devices["has a host key never seen"], typed: provision, code: 255, says: "the host key of … is not known: ssh-ed25519 …", hint: "compare it with the device's (`ssh-keygen -lf` on /etc/ssh/ssh_host_*_key.pub there), then add --accept-new-host-key"},
		{name: "provision-pelion/has a read-only disk", given: devices["has a read-only disk"], typed: provision, code: 255, says: "the device's /scratch is not writable: mkdir: cannot create directory: Read-only file system", hint: "mount it so that it can be written; an account other than root needs sudo or doas without a password"},
		{name: "provision-pelion/has a util of rubbish", given: devices["has a util of rubbish"], typed: provision, code: 255, says: "pelion-provisioning-util did not accept the credentials: �[2J", hint: "the device keeps what it had before, or less; `mbl-cli get-pelion-status` shows what it says of itself"},
		{name: "provision-pelion/has a util that crashes", given: devices["has a util that crashes"], typed: provision, code: 255, says: "the device's pelion-provisioning-util crashed or was killed…", hint: "is memory short there? Look with `mbl-cli shell`, and run the command again"},
		{name: "provision-pelion/has a util that hangs", given: devices["has a util that hangs"], typed: provision, code: 255, says: "pelion-provisioning-util did not finish in time: the device gave it 5m0s", hint: "look what hangs there with `mbl-cli shell`, or start the device anew, and run the command again"},
		{name: "provision-pelion/has a util that says all", given: devices["has a util that says all"], typed: provision, code: 255, says: "the device sends more than 1 MiB where a few lines were expected; the device deletes the credentials by itself and may be provisioned or not", hint: "look what it says there with `mbl-cli shell`"},
		{name: "provision-pelion/has a util without rights", given: devices["has a util without rights"], typed: provision, code: 255, says: "the device's pelion-provisioning-util cannot be run there: it is empty, or this account may not execute it", hint: "is it a program for that processor? Move it away, and `mbl-cli enroll` puts the right mbl-device there"},
		{name: "provision-pelion/has an old util", given: devices["has an old util"], typed: provision, code: 255, says: "pelion-provisioning-util did not accept the credentials: usage: pelion-provisioning-util", hint: "the device keeps what it had before, or less; `mbl-cli get-pelion-status` shows what it says of itself"},
		{name: "provision-pelion/has another host key", given: devices["has another host key"], typed: provision, code: 255, says: "the host key of … has changed: it is ssh-ed25519 … now, known is ssh-ed25519 … ($HOME/.ssh/known_hosts:1)", hint: "if the device was flashed anew, forget the old key with `ssh-keygen -f $HOME/.ssh/known_hosts -R '…'`; if not, somebody may be listening in"},
		{name: "provision-pelion/has no /scratch", given: devices["has no /scratch"], typed: provision, code: 255, says: "the device has no folder /scratch", hint: "is this an Mbed Linux OS device, or a board with mbl-device on it?"},
		{name: "provision-pelion/has no shell", given: devices["has no shell"], typed: provision, code: 255, says: "the device gave no intelligible answer: This account is currently not available.", hint: "the account on the device needs a POSIX shell; -v shows more"},
		{name: "provision-pelion/has no util", given: devices["has no util"], typed: provision, code: 255, says: "the device has no /opt/arm/pelion-provisioning-util", hint: "is this an Mbed Linux OS device, or a board with mbl-device on it?"},
		{name: "provision-pelion/is a web server", given: devices["is a web server"], typed: provision, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it answers \"HTTP/1.1 400 Bad Request\"", hint: "check the address and the port; -v shows the cause"},
		{name: "provision-pelion/refuses the connection", given: devices["refuses the connection"], typed: provision, code: 255, says: "cannot log in to root@127.0.0.1:1: the device cannot be reached: nothing listens on that port", hint: "is it switched on, on this network, with an SSH server? `mbl-cli list` shows the devices that answer"},
		{name: "provision-pelion/refuses the password", given: devices["refuses the password"], typed: provision, code: 255, says: "the device refused the login as root; tried: none, password", hint: "give the account a key or password the device knows; `ssh-copy-id` puts your key there; it takes: password"},
		{name: "provision-pelion/says nothing", given: devices["says nothing"], typed: provision, code: 255, says: "cannot log in to root@$DEVICE: the device does not answer in time: it took the connection and sent no greeting", hint: "is it switched on, and does a firewall let SSH through? `mbl-cli list` shows the devices that answer"},
		{name: "provision-pelion/sends rubbish", given: devices["sends rubbish"], typed: provision, code: 255, says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it answers \"…\"", hint: "check the address and the port; -v shows the cause"},
	})
}
