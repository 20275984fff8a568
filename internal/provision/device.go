package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mbl/internal/credential"
	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
)

// maxOutput is how much of each stream of a device is read, in bytes. Tools
// print a few lines.
const maxOutput = 1 << 20

// Exit codes that mean more than that something failed.
const (
	wrongUse      = 2   // of the util, for an option it does not know
	notExecutable = 126 // of a shell, for a program of another processor (POSIX, XCU 2.8.2)
	notFound      = 127 // of a shell, here for a program whose interpreter or loader is missing
	killed        = 128 // and the signal's number: of a shell, for itself or a program
	lastSignal    = 64
)

// grace is how much longer we wait for a device than it lets itself take.
const grace = 15 * time.Second

// Device is the connection to a device.
type Device interface {
	Run(ctx context.Context, cmd ssh.Command) (exit int, err error)
}

var _ Device = (*ssh.Client)(nil)

// Answer is what a device said. Fields are nil or empty where it did not get
// that far.
type Answer struct {
	Provision *Tool
	Status    *Tool
	State     *State // nil: the device has the original util, or none that answers
	HostName  string
	Tidied    bool // the credentials folder is known to be gone
}

// Tool is one run of pelion-provisioning-util. The texts are as the device
// sent them.
type Tool struct {
	Exit   int
	Stdout string
	Stderr string
}

// State is what mbl-device knows of itself.
type State struct {
	Provisioned  bool   `json:"provisioned"`
	DeviceID     string `json:"device_id"` // empty before the first registration
	EndpointName string `json:"endpoint_name"`
	AccountID    string `json:"account_id"`
	Registered   bool   `json:"registered"`
	Problem      string `json:"problem"`
}

// Send gives credentials to a device, has its util take them in, and asks for
// the state that came of it, all in one command. Whatever happens, the device
// deletes the files afterwards by itself; Answer.Tidied says whether that is
// known. The answer is as complete as it can be when there is an error too.
func Send(ctx context.Context, device Device, variables []credential.Variable) (*Answer, error) {
	return send(ctx, device, deviceLayout, variables)
}

// Ask asks a device for its state and changes nothing.
func Ask(ctx context.Context, device Device) (*Answer, error) {
	return ask(ctx, device, deviceLayout.asked())
}

func send(ctx context.Context, device Device, place layout, variables []credential.Variable) (*Answer, error) {
	mark := posixsh.NewMark()
	stdout, stderr, exit, err := runScript(ctx, device, place, mark, provisionScript(place, mark, variables))
	answer := newAnswer(stdout, stderr)
	// A script that ends by itself speaks of the folder if it made it.
	ended := err == nil && exit < killed
	answer.Tidied = stdout.tidy == "gone" || ended && stdout.tidy == ""
	if err == nil {
		err = provisionError(stdout, stderr, place.patience)
	}
	if stdout.tidy == "left" {
		err = errors.Join(ErrSecretsLeft, err)
	}
	return answer, err
}

func ask(ctx context.Context, device Device, place layout) (*Answer, error) {
	mark := posixsh.NewMark()
	stdout, stderr, _, err := runScript(ctx, device, place, mark, statusScript(place, mark))
	if err == nil {
		err = statusError(stdout, stderr, place.patience)
	}
	return newAnswer(stdout, stderr), err
}

// askState asks mbl-device alone, which is quick; nil if there is none that
// answers.
func askState(ctx context.Context, device Device) *State {
	place, mark := deviceLayout.asked(), posixsh.NewMark()
	stdout, stderr, _, err := runScript(ctx, device, place, mark, stateScript(place, mark))
	if err != nil {
		return nil
	}
	return newAnswer(stdout, stderr).State
}

// asRoot is a shell of root for an account that may be root without a password,
// else one of its own.
const asRoot = `sh -c 'for as in sudo doas; do command -v $as >/dev/null 2>&1 && $as -n true </dev/null >/dev/null 2>&1 && exec $as -n sh; done; exec sh'`

// shellOf is the command that takes our script: the util and its folder are
// root's.
func shellOf(device Device) string {
	named, ok := device.(interface{ Target() ssh.Target })
	if !ok || named.Target().User == ssh.DefaultUser {
		return "sh"
	}
	return asRoot
}

// runScript has a device do a script. A device stops by itself what takes too
// long; one that does not, or never stops printing, is left after grace more.
func runScript(ctx context.Context, device Device, place layout, mark, text string) (stdout, stderr frames, exit int, err error) {
	var out, problems cappedBuffer
	limited, cancel := context.WithTimeout(ctx, place.patience+grace)
	defer cancel()
	exit, err = device.Run(limited, ssh.Command{Line: shellOf(device), Stdin: strings.NewReader(text), Stdout: &out, Stderr: &problems})
	switch {
	case out.full || problems.full:
		err = ErrFloods
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		err = ErrHangs
	}
	return parseFrames(out.String(), mark), parseFrames(problems.String(), mark), exit, err
}

func newAnswer(stdout, stderr frames) *Answer {
	answer := &Answer{Provision: newTool("provision", stdout, stderr), Status: newTool("status", stdout, stderr)}
	if host := newTool("host", stdout, stderr); host != nil && host.Exit == 0 {
		answer.HostName = strings.TrimSpace(host.Stdout)
	}
	if device := newTool("device", stdout, stderr); device != nil {
		answer.State = parseState(device.Stdout)
	}
	return answer
}

func newTool(name string, stdout, stderr frames) *Tool {
	out := stdout.tools[name]
	if out == nil || !out.ended {
		return nil
	}
	t := &Tool{Exit: out.exit, Stdout: out.output}
	if problems := stderr.tools[name]; problems != nil {
		t.Stderr = problems.output
	}
	return t
}

// broken tells why the tool's exit code is no answer of its own, nil if it is.
func (t *Tool) broken() error {
	switch {
	case t.Exit == notExecutable || t.Exit == notFound:
		return ErrBadUtil
	case t.Exit > killed && t.Exit <= killed+lastSignal:
		return ErrUtilBrokeOff
	default:
		return nil
	}
}

func parseState(text string) *State {
	state := &State{}
	if json.Unmarshal([]byte(text), state) != nil {
		return nil
	}
	return state
}

// provisionError says what the device's answer to a provisioning means.
func provisionError(stdout, stderr frames, patience time.Duration) error {
	if err := scriptError(stdout, stderr, patience); err != nil {
		return err
	}
	tool := newTool("provision", stdout, stderr)
	switch {
	case tool == nil:
		return &DeviceError{ErrNoAnswer, lastLine(stderr.noise, stdout.noise)}
	case tool.broken() != nil:
		return &DeviceError{tool.broken(), firstLine(tool.Stderr, tool.Stdout)}
	case tool.Exit != 0:
		return &DeviceError{ErrToolFailed, firstLine(tool.Stderr, tool.Stdout)}
	default:
		return statusError(stdout, stderr, patience)
	}
}

// statusError says what the device's answer to the question for its state
// means.
func statusError(stdout, stderr frames, patience time.Duration) error {
	if err := scriptError(stdout, stderr, patience); err != nil {
		return err
	}
	tool := newTool("status", stdout, stderr)
	switch {
	case tool == nil || !stdout.done:
		return &DeviceError{ErrNoAnswer, lastLine(stderr.noise, stdout.noise)}
	case tool.broken() != nil:
		return &DeviceError{tool.broken(), firstLine(tool.Stderr, tool.Stdout)}
	case tool.Exit == wrongUse:
		return &DeviceError{ErrOldUtil, firstLine(tool.Stderr, tool.Stdout)}
	case tool.Exit != 0:
		return &DeviceError{ErrNotConfigured, firstLine(tool.Stderr, tool.Stdout)}
	default:
		return nil
	}
}

// scriptError says why the script gave up, nil if it did not.
func scriptError(stdout, stderr frames, patience time.Duration) error {
	switch stdout.problem {
	case "":
		return nil
	case "no-util":
		return &DeviceError{ErrNoUtil, ""}
	case "bad-util":
		return &DeviceError{ErrBadUtil, "it is empty, or this account may not execute it"}
	case "no-scratch":
		return &DeviceError{ErrNoScratch, ""}
	case "read-only":
		return &DeviceError{ErrReadOnly, ""}
	case "taken":
		return &DeviceError{ErrTaken, ""}
	case "slow":
		return &DeviceError{ErrSlow, fmt.Sprintf("the device gave it %v", patience)}
	case "stopped":
		return &DeviceError{ErrStopped, ""}
	}
	return writeError(strings.TrimSpace(stderr.noise))
}

// writeError finds the reason in what the device's programs said; the last
// line is the one that made the script give up.
func writeError(said string) error {
	last := strings.TrimSpace(said[strings.LastIndexByte(said, '\n')+1:])
	switch {
	case strings.Contains(said, "No space left on device"):
		return &DeviceError{ErrNoSpace, last}
	case strings.Contains(said, "Read-only file system"):
		return &DeviceError{ErrReadOnly, last}
	default:
		return &DeviceError{ErrWrite, last}
	}
}

// lastLine is the last line of the first text that has any. Before it may stand
// what the account's start-up files print.
func lastLine(texts ...string) string {
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
		}
	}
	return ""
}

// firstLine is the first line with text in it.
func firstLine(texts ...string) string {
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				return line
			}
		}
	}
	return ""
}
