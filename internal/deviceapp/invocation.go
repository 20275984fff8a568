package deviceapp

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"mbl/internal/device"
)

// utilName is the original program's name, whose interface this one has too.
const utilName = "pelion-provisioning-util"

const (
	defaultState       = "/var/lib/mbl-device"
	defaultCredentials = "/scratch/provisioning-certs"
)

type action int

const (
	actionNone action = iota
	actionProvision
	actionPelionStatus
	actionHelp
	actionVersion
	actionRun
	actionStatus
	actionCheckServer
)

// invocation is what the arguments ask for.
type invocation struct {
	action      action
	root        string // prefix of the default paths
	state       string // empty: the default
	credentials string // empty: the default
	json        bool
	server      string // for check-server without credentials; may be empty
	verbose     bool
	lifetime    time.Duration // 0: as the server says
	retryBase   time.Duration
	keepAlive   time.Duration
	reboot      string // shell command; empty: rebooting is refused
	tpm         string // its path, or "auto"; empty: the one that seals the key, if one does
	appSocket   string // where applications connect; empty: nowhere
	appGroup    string // who may, besides the user; may be empty
	announce    uint16 // port of the SSH server to announce; 0: nothing is announced
}

// parse reads the arguments: any flags, and exactly one action, or --help with
// any. The original's name has the original's actions and rules only.
func parse(name string, args []string) (invocation, error) {
	var inv invocation
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.StringVar(&inv.root, "root", "", "")
	flags.StringVar(&inv.state, "state", "", "")
	flags.StringVar(&inv.credentials, "credentials", "", "")
	flags.BoolVar(&inv.json, "json", false, "")
	flags.StringVar(&inv.server, "server", "", "")
	flags.BoolVarP(&inv.verbose, "verbose", "v", false, "")
	flags.DurationVar(&inv.lifetime, "lifetime", 0, "")
	flags.DurationVar(&inv.retryBase, "retry-base", device.DefaultRetryBase, "")
	flags.DurationVar(&inv.keepAlive, "keep-alive", device.DefaultKeepAlive, "")
	flags.StringVar(&inv.reboot, "reboot-command", "", "")
	flags.StringVar(&inv.tpm, "tpm", "", "")
	flags.StringVar(&inv.appSocket, "applications", "", "")
	flags.StringVar(&inv.appGroup, "applications-group", "", "")
	flags.Uint16Var(&inv.announce, "announce", 0, "")
	asked := map[action]*int{ // counted: the original takes one option, once
		actionProvision:    flags.Count("provision", ""),
		actionPelionStatus: flags.Count("get-pelion-status", ""),
	}
	if name == utilName {
		asked[actionHelp] = flags.Count("help", "")
	} else {
		asked[actionHelp] = flags.CountP("help", "h", "")
		asked[actionVersion] = flags.CountP("version", "V", "")
	}
	if err := flags.Parse(args); err != nil {
		return invocation{}, err
	}
	var err error
	if inv.action, err = chooseAction(name, asked, flags.Args()); err != nil {
		return invocation{}, err
	}
	return inv, inv.check()
}

func chooseAction(name string, asked map[action]*int, commands []string) (action, error) {
	var chosen []action
	for a, times := range asked {
		for range *times {
			chosen = append(chosen, a)
		}
	}
	for _, command := range commands {
		switch {
		case command == "run" && name != utilName:
			chosen = append(chosen, actionRun)
		case command == "status" && name != utilName:
			chosen = append(chosen, actionStatus)
		case command == "check-server" && name != utilName:
			chosen = append(chosen, actionCheckServer)
		default:
			return actionNone, fmt.Errorf("unknown command %q", command)
		}
	}
	if name != utilName && slices.Contains(chosen, actionHelp) {
		return actionHelp, nil // of any command: there is one text for all
	}
	if len(chosen) != 1 {
		return actionNone, errors.New("exactly one command is needed")
	}
	return chosen[0], nil
}

func (inv invocation) check() error {
	switch {
	case inv.json && inv.action != actionStatus && inv.action != actionCheckServer:
		return errors.New("--json belongs to status and check-server")
	case inv.server != "" && inv.action != actionCheckServer:
		return errors.New("--server belongs to check-server")
	case inv.action != actionRun && (inv.reboot != "" || inv.appSocket != "" || inv.announce != 0):
		return errors.New("--reboot-command, --applications and --announce belong to run")
	case inv.appGroup != "" && inv.appSocket == "":
		return errors.New("--applications-group belongs to --applications")
	case inv.lifetime != 0 && inv.lifetime < device.MinLifetime:
		return fmt.Errorf("--lifetime is at least %v", device.MinLifetime)
	case inv.retryBase <= 0 || inv.keepAlive <= 0:
		return errors.New("--retry-base and --keep-alive are more than zero")
	}
	return nil
}

// stateDir is where the device keeps its state.
func (inv invocation) stateDir() string {
	if inv.state != "" {
		return inv.state
	}
	return filepath.Join(inv.root, defaultState)
}

func (inv invocation) keystoreDir() string { return filepath.Join(inv.stateDir(), "keystore") }

// folder is the credentials folder. Under --root, messages call it as the
// device sees it.
func (inv invocation) folder() device.Folder {
	if inv.credentials != "" {
		return device.Folder{Path: inv.credentials}
	}
	return device.Folder{Path: filepath.Join(inv.root, defaultCredentials), ShownAs: defaultCredentials}
}
