package cli_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
)

// stream runs a command as run does, with its standard input as it comes.
func (d deviceTree) stream(line string, stdin io.Reader, stdout, stderr io.Writer) uint32 {
	command := exec.Command("/bin/sh", "-c", line)
	command.Dir = filepath.Join(string(d), "root")
	command.Env = append(os.Environ(), "DEVICE_ROOT="+string(d), "PATH="+string(d)+":"+os.Getenv("PATH"))
	command.Stdout, command.Stderr = stdout, stderr
	input, err := command.StdinPipe()
	if err != nil || command.Start() != nil {
		return 126
	}
	go func() {
		_, _ = io.Copy(input, stdin)
		input.Close()
	}()
	var exit *exec.ExitError
	if err := command.Wait(); errors.As(err, &exit) {
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			return 128 + uint32(status.Signal())
		}
		return uint32(status.ExitStatus())
	}
	return 0 // nobody may have wanted the output
}

// files gives the device a home folder with files in it that can be copied
// through its shell; nothing else works there.
func (w *workplace) files() {
	w.server.Run = w.device.stream
	w.write("device/root/log", "what the device has to say\n")
	w.write("device/root/folder/inner", "x")
	w.write("home/image", "what is to be copied")
	w.write("home/folder/inner", "x")
	w.words["ROOT"] = filepath.Join(string(w.device), "root")
}

// overSFTP gives the device SFTP too.
func (w *workplace) overSFTP() {
	w.files()
	w.server.SFTP = func(stream io.ReadWriteCloser) {
		server, err := sftp.NewServer(stream, sftp.WithServerWorkingDirectory(w.words["ROOT"]))
		if err == nil {
			_ = server.Serve()
		}
	}
}

// copying is a workplace where files can be copied, but for what comes then.
func copying(spoil ...func(w *workplace)) func(w *workplace) {
	return func(w *workplace) {
		w.files()
		for _, f := range spoil {
			f(w)
		}
	}
}

// fails makes a program of the device fail with a message.
func fails(program, message string) func(w *workplace) {
	return func(w *workplace) { w.program(program, `echo "`+program+`: `+message+`" >&2; exit 1`) }
}

// talks makes the device answer every command itself.
func talks(answer func(line string, stdin io.Reader, stdout io.Writer) uint32) func(w *workplace) {
	return func(w *workplace) {
		w.server.Run = func(line string, stdin io.Reader, stdout, _ io.Writer) uint32 {
			if line == "echo mbl" {
				_, _ = io.WriteString(stdout, "mbl\n")
				return 0
			}
			return answer(line, stdin, stdout)
		}
	}
}

// lists makes the device's shell describe files as told, whatever is asked:
// the name that is asked for as the first, what is in a folder as the second.
func lists(one, inside string) func(w *workplace) {
	mark := regexp.MustCompile(`; printf .* (\S+) \$\?$`) // the script that ends an answer with it
	begins := regexp.MustCompile(`^printf .* (\S+) 0$`)   // what is asked first: where the greeting ends
	return talks(func(_ string, stdin io.Reader, stdout io.Writer) uint32 {
		answer := one
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			if strings.Contains(lines.Text(), "ls -a") {
				answer = inside
			}
			if found := begins.FindStringSubmatch(lines.Text()); found != nil {
				_, _ = io.WriteString(stdout, "\n"+found[1]+"0\n")
			}
			if found := mark.FindStringSubmatch(lines.Text()); found != nil {
				_, _ = io.WriteString(stdout, answer+"\n"+found[1]+"0\n")
				answer = one
			}
		}
		return 0
	})
}

func withoutEnd(_ string, _ io.Reader, stdout io.Writer) uint32 {
	for rubbish := []byte(strings.Repeat("x", 1<<16)); ; {
		if _, err := stdout.Write(rubbish); err != nil {
			return 1
		}
	}
}

// noShell is an account that may not log in.
func noShell(w *workplace) {
	w.server.Run = func(_ string, _ io.Reader, _, stderr io.Writer) uint32 {
		_, _ = io.WriteString(stderr, "This account is currently not available.\n")
		return 1
	}
}

func rubbishSFTP(w *workplace) {
	w.server.SFTP = func(stream io.ReadWriteCloser) {
		_, _ = io.WriteString(stream, strings.Repeat("\xff\x1b[2J", 1000))
	}
}

// dropsIn makes the connection break while a program of the device runs.
func dropsIn(program string) func(w *workplace) {
	return func(w *workplace) {
		w.program(program, `touch "$DEVICE_ROOT/running"; exec sleep 600`)
		pullTheCable(w)
	}
}

// pullTheCable cuts the connections once a program of the device says so.
func pullTheCable(w *workplace) {
	go func() {
		for w.t.Context().Err() == nil {
			if _, err := os.Stat(filepath.Join(string(w.device), "running")); err == nil {
				w.server.DropAll()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
}

func TestBadCopies(t *testing.T) {
	const put, get = "put $HOME/image image", "get log $HOME/log"
	refuses(t, []mishap{
		{name: "put/missing", given: copying(), typed: "put $HOME/nothing image", code: 255, says: "\"$HOME/nothing\": does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "get/missing", given: copying(), typed: "get nothing $HOME/log", code: 255, says: "\"nothing\" on the device: does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "get/missing, by SFTP", given: (*workplace).overSFTP, typed: "get nothing $HOME/log", code: 255, says: "\"nothing\" on the device: does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "put/folder without -r", given: copying(), typed: "put $HOME/folder there", code: 2, says: "\"$HOME/folder\": is a folder", hint: "-r copies a folder with all that is in it"},
		{name: "get/folder without -r", given: copying(), typed: "get folder $HOME/there", code: 2, says: "\"folder\" on the device: is a folder", hint: "-r copies a folder with all that is in it"},
		{name: "put/into no folder", given: copying(), typed: "put $HOME/image nowhere/image", code: 255, says: "\"nowhere/image\" on the device: the folder it would go into does not exist", hint: "make that folder first; a name on the device that does not begin with / is in its home folder"},
		{name: "put/into no folder, by SFTP", given: (*workplace).overSFTP, typed: "put $HOME/image nowhere/image", code: 255, says: "\"nowhere/image\" on the device: the folder it would go into does not exist", hint: "make that folder first; a name on the device that does not begin with / is in its home folder"},
		{name: "get/into no folder", given: copying(), typed: "get log $HOME/nowhere/log", code: 255, says: "\"$HOME/nowhere/log\": the folder it would go into does not exist", hint: "make that folder first; a name on the device that does not begin with / is in its home folder"},
		{name: "put/over a folder", given: copying(), typed: "put -r $HOME/folder log", code: 255, says: "\"log\" on the device: something else already has that name", hint: "move it away, or give the copy another name"},
		{name: "get/over a folder", given: copying(), typed: "get -r folder $HOME/image", code: 255, says: "\"$HOME/image\": something else already has that name", hint: "move it away, or give the copy another name"},
		{name: "put/unreadable", given: copying(), typed: "put /proc/self/mem image", code: 255, says: "\"/proc/self/mem\": the disk cannot read or write it", hint: "look at the health of the disk it lies on"},
		{name: "get/unreadable", given: copying(fails("cat", "can't open 'log': Permission denied")), typed: get, code: 255, says: "\"log\" on the device: permission denied", hint: "it takes an account that may do this"},
		{name: "put/not writable", given: copying(fails("cat", "can't create: Permission denied")), typed: put, code: 255, says: "\"image\" on the device: permission denied", hint: "it takes an account that may do this"},
		{name: "put/read-only", given: copying(fails("cat", "can't create: Read-only file system")), typed: put, code: 255, says: "\"image\" on the device: the file system is mounted read-only", hint: "copy to a place that can be written, or mount it so that it can"},
		{name: "put/a device", given: copying(), typed: "put /dev/zero image", code: 255, says: "\"/dev/zero\": is neither a file nor a folder", hint: "only files and folders can be copied"},
		{name: "get/a device", given: copying(), typed: "get /dev/zero $HOME/log", code: 255, says: "\"/dev/zero\" on the device: is neither a file nor a folder", hint: "only files and folders can be copied"},
		{name: "put/a loop", given: copying(file("a loop")), typed: "put $FILE image", code: 255, says: "\"$WORK/file.c\": is a link that leads in a circle", hint: "give the name of what the link was to lead to"},
		{name: "put/full disk", given: copying(fails("cat", "write error: No space left on device")), typed: put, code: 255, says: "\"image\" on the device: no space left", hint: "make some room there; nothing half-written is left"},
		{name: "put/full disk, by SFTP", given: func(w *workplace) { w.overSFTP(); disk("device/root", true)(w) }, typed: put, code: 255, says: "\"image\" on the device: no space left", hint: "make some room there; nothing half-written is left"},
		{name: "get/full disk", given: func(w *workplace) { w.overSFTP(); w.write("home/full/x", ""); disk("home/full", true)(w) }, typed: "get log $HOME/full/log", code: 255, says: "\"$HOME/full/log\": no space left", hint: "make some room there; nothing half-written is left"},
		{name: "get/read-only", given: func(w *workplace) { w.overSFTP(); w.write("home/full/x", ""); disk("home/full", false)(w) }, typed: "get log $HOME/full/log", code: 255, says: "\"$HOME/full/.log.part\": the file system is mounted read-only", hint: "copy to a place that can be written, or mount it so that it can"},
		{name: "put/drops", given: copying(dropsIn("cat")), typed: put, code: 255, says: "\"image\" on the device: the connection to the device was lost in the middle of a command", hint: "what was copied is kept as \".image.part\"; the same command goes on from there", leaves: "device/root/.image.part$|device/running$"},
		{name: "get/drops", given: copying(dropsIn("cat")), typed: get, code: 255, says: "\"log\" on the device: the connection to the device was lost in the middle of a command", hint: "check the device and the network, and run the command again", leaves: "device/running$"},
		{name: "put/differs", given: copying(func(w *workplace) { w.program("cat", `exec tr a b`) }), typed: put, code: 255, says: "\"image\" on the device: the copy differs from its source", hint: "nothing was kept; run the command again"},
		{name: "get/differs", given: copying(func(w *workplace) { w.program("cat", `exec tr a b <"$1"`) }), typed: get, code: 255, says: "\"$HOME/log\": the copy differs from its source", hint: "nothing was kept; run the command again"},
		{name: "get/longer than it says", given: copying(func(w *workplace) { w.program("cat", `exec yes`) }), typed: get, code: 255, says: "\"log\" on the device: the file changed while it was copied", hint: "copy it again when nothing writes to it"},
		{name: "get/shorter than it says", given: copying(func(w *workplace) { w.program("cat", `exec head -c 3 "$1"`) }), typed: get, code: 255, says: "\"log\" on the device: the file changed while it was copied", hint: "copy it again when nothing writes to it"},
		{name: "put/killed", given: copying(func(w *workplace) { w.program("cat", `kill -9 $$`) }), typed: put, code: 255, says: "\"image\" on the device: a command on the device failed: it ended with exit status 137", hint: "try it by hand with `mbl-cli shell`"},
		{name: "put/no shell", given: copying(noShell), typed: put, code: 255, says: "the device cannot run commands: it offers no SFTP, and its shell answers \"This account is currently not available.\"", hint: "the account on the device needs a shell"},
		{name: "put/no command at all", given: copying(func(w *workplace) { w.server.Run = nil }), typed: put, code: 255, says: "the device cannot run commands: ssh: command echo mbl failed", hint: "the account on the device needs a shell"},
		{name: "get/SFTP of rubbish", given: copying(rubbishSFTP), typed: "get nothing $HOME/log", code: 255, says: "\"nothing\" on the device: does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "get/hangs up at SFTP", given: copying(func(w *workplace) { w.server.SFTP = func(s io.ReadWriteCloser) { w.server.DropAll() } }), typed: get, code: 255, says: "the connection to the device was lost: …", hint: "check the device and the network, and run the command again"},
		{name: "get/rubbish in place of a list", given: copying(fails("ls", "\\033[2J"), func(w *workplace) { w.program("ls", `printf 'drwx\033[2J\377\n'`) }), typed: "get -r folder $HOME/there", code: 255, says: "\"folder\" on the device: the device describes its files in a way that cannot be understood", hint: "look what it says with `mbl-cli shell ls -la`"},
		{name: "get/a list without end", given: copying(talks(withoutEnd)), typed: "get -r folder $HOME/there", code: 255, says: "\"folder\" on the device: the device sends more than 64 MiB where a list of files was expected", hint: "copy what is in the folder piece by piece"},
		{name: "put/odd name", given: copying(), typed: "put '$HOME/a\x1b[2J\u202e\nb' image", code: 255, says: "\"$HOME/a\\x1b[2J\\u202e\\nb\": does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "put/not UTF-8", given: copying(), typed: "put $HOME/\xff\xfe image", code: 255, says: "\"$HOME/\\xff\\xfe\": does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "get/not UTF-8", given: copying(), typed: "get \xff\xfe $HOME/log", code: 255, says: "\"\\xff\\xfe\" on the device: does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "get/looks like a flag", given: copying(), typed: "get -- -rf $HOME/log", code: 255, says: "\"-rf\" on the device: does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "put/too long a name", given: copying(), typed: "put $HOME/image " + strings.Repeat("n", 300), code: 255, says: "\"…\" on the device: the name is too long for the file system", hint: "give the copy a shorter name"},
		{name: "get/too long a name", given: copying(), typed: "get log $HOME/" + strings.Repeat("n", 300), code: 255, says: "\"$HOME/…\": the name is too long for the file system", hint: "give the copy a shorter name"},
		{name: "put/no name", given: copying(), typed: "put '' image", code: 2, says: "SRC is empty", hint: "`mbl-cli put --help` explains it"},
		{name: "get/no name", given: copying(), typed: "get '' $HOME/log", code: 2, says: "SRC is empty", hint: "`mbl-cli get --help` explains it"},
		{name: "get/names that lead elsewhere", given: copying(lists("drwxr-xr-x 0\x00folder\x00.\x00", "-rw-r--r-- 1\x00../evil\x00.\x00")), typed: "get -r folder $HOME/there", code: 255, says: "\"folder\" on the device: the device names a file in a way that cannot be kept here: \"../evil\"", hint: "give the file another name there; from a device you do not trust, copy nothing"},
		{name: "get/folders without end", given: copying(lists("drwxr-xr-x 0\x00folder\x00.\x00", "drwxr-xr-x 1\x00a\x00.\x00")), typed: "get -r folder $HOME/there", code: 255, says: "\"folder/a/…\" on the device: there are more than 200 folders one in another", hint: "copy the inner folders by themselves"},
		{name: "get/a size of nonsense", given: copying(lists("-rw-r--r-- -7\x00log\x00.\x00", "")), typed: get, code: 255, says: "\"log\" on the device: the device describes its files in a way that cannot be understood", hint: "look what it says with `mbl-cli shell ls -la`"},
		{name: "put/one name", typed: "put image", code: 2, says: "DST is missing", hint: "`mbl-cli put --help` explains it"},
		{name: "get/three names", typed: "get a b c", code: 2, says: "unexpected argument \"c\"", hint: "`mbl-cli get --help` explains it"},
	})
}

// Whoever answers in place of the device, or how it takes a login, is told of
// in the same words whatever was wanted of it.
func TestCopiesAndCommandsOfBadDevices(t *testing.T) {
	devices := badDevices()
	var mishaps []mishap
	for _, kind := range []string{
		"refuses the connection", "hangs up", "is a web server", "says nothing", "sends rubbish", "greets by half",
		"refuses the password", "has another host key", "has a host key never seen",
	} {
		for _, typed := range []string{"put $HOME/image image", "get log $HOME/log", "shell true"} {
			mishaps = append(mishaps, mishap{
				name: typed + "/" + kind, typed: typed, code: 255, says: ofBadDevices[kind].says, hint: ofBadDevices[kind].hint,
				given: func(w *workplace) { w.files(); devices[kind](w) },
			})
		}
	}
	refuses(t, mishaps)
}

func TestBadCommands(t *testing.T) {
	refuses(t, []mishap{
		{name: "drops", given: copying(dropsIn("hang")), typed: "shell hang", code: 255, says: "the connection to the device was lost in the middle of a command", hint: "check the device and the network, and run the command again", leaves: "device/running$"},
		{name: "no shell", given: copying(noShell), typed: "shell true", code: 1},
		{name: "no command at all", given: copying(func(w *workplace) { w.server.Run = nil }), typed: "shell true", code: 255, says: "the device cannot run commands: ssh: command true failed", hint: "the account on the device needs a shell"},
		{name: "an unknown command", given: copying(), typed: "shell no-such-command", code: 127},
		{name: "fails", given: copying(), typed: "shell 'exit 42'", code: 42},
		{name: "killed", given: copying(), typed: "shell 'kill -9 $$'", code: 137},
		{name: "not UTF-8", given: copying(), typed: "shell \xff\xfe", code: 127},
		{name: "flag of its own", typed: "shell --frobnicate", code: 2, says: "unknown flag: --frobnicate", hint: "`mbl-cli shell --help` explains it"},
	})
}

// ofBadDevices are the words for devices that nothing can be done with.
var ofBadDevices = map[string]struct{ says, hint string }{
	"refuses the connection": {
		says: "cannot log in to root@127.0.0.1:1: the device cannot be reached: nothing listens on that port",
		hint: "is it switched on, on this network, with an SSH server? `mbl-cli list` shows the devices that answer",
	},
	"hangs up": {
		says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it closed the connection without a greeting; it may be busy, or keep this computer out",
		hint: "check the address and the port; -v shows the cause",
	},
	"is a web server": {
		says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it answers \"HTTP/1.1 400 Bad Request\"",
		hint: "check the address and the port; -v shows the cause",
	},
	"says nothing": {
		says: "cannot log in to root@$DEVICE: the device does not answer in time: it took the connection and sent no greeting",
		hint: "is it switched on, and does a firewall let SSH through? `mbl-cli list` shows the devices that answer",
	},
	"sends rubbish": {
		says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it answers \"…\"",
		hint: "check the address and the port; -v shows the cause",
	},
	"greets by half": {
		says: "cannot log in to root@$DEVICE: no usable SSH server answers there: it hung up in the midst of its greeting",
		hint: "check the address and the port; -v shows the cause",
	},
	"refuses the password": {
		says: "the device refused the login as root; tried: none, password",
		hint: "give the account a key or password the device knows; `ssh-copy-id` puts your key there; it takes: password",
	},
	"has another host key": {
		says: "the host key of … has changed: it is ssh-ed25519 … now, known is ssh-ed25519 …",
		hint: "if the device was flashed anew, forget the old key with `ssh-keygen -f … -R …`; if not, somebody may be listening in",
	},
	"has a host key never seen": {
		says: "the host key of … is not known: ssh-ed25519 …",
		hint: "compare it with the device's (`ssh-keygen -lf` on /etc/ssh/ssh_host_*_key.pub there), then add --accept-new-host-key",
	},
}
