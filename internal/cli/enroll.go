package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"mbl/internal/enroll"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

// envDeviceDir names a folder with mbl-device for several processors.
const envDeviceDir = "MBL_DEVICE_DIR"

const enrollExamples = `  mbl-cli enroll root@192.0.2.7
  mbl-cli enroll --dry-run pi@board.local
  mbl-cli enroll --binary ./mbl-device-linux-arm64 pi@board.local
  mbl-cli enroll --undo root@192.0.2.7`

const enrollLong = `Make a Linux board a device: put mbl-device there, start it with the board,
and announce the board, so that ` + "`mbl-cli list`" + ` finds it: by avahi where that
runs, else by mbl-device itself. Then provision-pelion works.

The program for the board's processor (mbl-device-linux-amd64, -arm64, -arm,
-armv6) is looked for beside mbl-cli, in ../lib/mbl from there, and in the
folder MBL_DEVICE_DIR names; an amd64 or arm64 board also takes the mbl-device
found there that was built for a machine like it. An account other than root
needs sudo or doas without a password, for this and for provisioning.

All is installed or nothing. A second run changes only what differs. --undo
takes away what was installed, the device's credentials with it.`

type enrollOptions struct {
	binary           string
	dryRun           bool
	undo             bool
	noAnnounce       bool
	acceptNewHostKey bool
}

func newEnrollCommand(a *app) *cobra.Command {
	var opts enrollOptions
	cmd := &cobra.Command{
		Use:     "enroll USER@BOARD",
		Short:   "Put mbl-device on a Linux board",
		Long:    enrollLong,
		Example: enrollExamples,
		Args:    takes("USER@BOARD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.enroll(cmd.Context(), args[0], opts)
		},
	}
	cmd.Flags().StringVar(&opts.binary, "binary", "", "`FILE` to install as mbl-device")
	cmd.Flags().BoolVar(&opts.dryRun, "dry-run", false, "say what would be done, and do nothing")
	cmd.Flags().BoolVar(&opts.undo, "undo", false, "take away what was installed")
	cmd.Flags().BoolVar(&opts.noAnnounce, "no-announce", false, "leave it to --address to find the board")
	addHostKeyFlag(cmd, &opts.acceptNewHostKey)
	return cmd
}

// enrolled is what enroll prints.
type enrolled struct {
	Board        string           `json:"board"`
	Architecture string           `json:"architecture"`
	Init         enroll.Init      `json:"init"`
	Announced    bool             `json:"announced"`
	AnnouncedBy  enroll.Announcer `json:"announced_by,omitempty"`
	Binary       string           `json:"binary,omitempty"` // on this machine
	DryRun       bool             `json:"dry_run"`
	Undo         bool             `json:"undo"`
	Changed      bool             `json:"changed"`
	Changes      []enroll.Change  `json:"changes"`
}

func (a *app) enroll(ctx context.Context, board string, opts enrollOptions) error {
	target, err := ssh.ParseTarget(board)
	if err != nil {
		return err
	}
	if opts.undo && opts.binary != "" {
		return usererr.Usage("--undo installs no --binary")
	}
	if opts.undo && opts.noAnnounce {
		return usererr.Usage("--undo announces nothing, so it takes no --no-announce")
	}
	if opts.binary != "" {
		if err := enroll.CheckBinary(opts.binary); err != nil {
			return err
		}
	}
	folders, err := a.binaryFolders()
	if err != nil {
		return err
	}
	a.progress("Connecting to %s.", target)
	client, err := a.connect(ctx, target, opts.acceptNewHostKey)
	if err != nil {
		return err
	}
	defer client.Close()
	result, err := a.changeBoard(ctx, client, folders, opts)
	if err != nil {
		return err
	}
	done := enrolled{
		Board: client.Target().String(), Architecture: result.Board.Architecture.Name, Init: result.Board.Init,
		Announced: announces(result.Announcer), AnnouncedBy: result.Announcer, Binary: result.Binary,
		DryRun: opts.dryRun, Undo: opts.undo, Changed: result.Changed, Changes: result.Changes,
	}
	return a.print(done, func(w io.Writer) { done.write(w) })
}

func (a *app) changeBoard(ctx context.Context, client *ssh.Client, folders []string, opts enrollOptions) (*enroll.Result, error) {
	if opts.undo {
		return enroll.Undo(ctx, client, opts.dryRun)
	}
	return enroll.Enroll(ctx, client, enroll.Plan{
		Binary: func(architecture enroll.Architecture) (*enroll.Binary, error) {
			return enroll.FindBinary(architecture, opts.binary, folders)
		},
		Hidden: opts.noAnnounce,
		Port:   cmp.Or(client.Target().Port, ssh.DefaultPort),
		DryRun: opts.dryRun,
		Sent: func(sent, all int64) {
			if sent == all {
				a.progress("Sent %d KiB; the board installs it.", all/1024)
			}
		},
	})
}

func announces(by enroll.Announcer) bool { return by == enroll.ByAvahi || by == enroll.ByDevice }

// binaryFolders are where the programs for boards are looked for.
func (a *app) binaryFolders() ([]string, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot tell where mbl-cli itself is: %w", err)
	}
	dir := filepath.Dir(own)
	folders := []string{dir, filepath.Join(filepath.Dir(dir), "lib", "mbl")}
	if named := a.sys.Getenv(envDeviceDir); named != "" {
		folders = append([]string{named}, folders...)
	}
	return folders, nil
}

// kept tells whether an undo left something.
func (e enrolled) kept() bool {
	return slices.ContainsFunc(e.Changes, func(change enroll.Change) bool { return change.Action == enroll.Keep })
}

func (e enrolled) write(w io.Writer) {
	for _, change := range e.Changes {
		fmt.Fprintf(w, "%s\t%s\n", change.Action, oneLine(change.Path))
	}
	switch {
	case e.DryRun:
		fmt.Fprintf(w, "Nothing was done on %s.\n", e.Board)
	case e.Undo && e.kept():
		fmt.Fprintf(w, "What was changed on %s since enroll is kept.\n", e.Board)
	case e.Undo:
		fmt.Fprintf(w, "%s is as it was before enroll.\n", e.Board)
	case !e.Changed:
		fmt.Fprintf(w, "%s has all of it already.\n", e.Board)
	default:
		fmt.Fprintf(w, "%s is a device now; `mbl-cli -a %s provision-pelion` provisions it.\n", e.Board, e.Board)
	}
	if e.Undo {
		return
	}
	switch e.AnnouncedBy {
	case enroll.ByDevice:
		fmt.Fprintln(w, "It has no avahi, so mbl-device itself announces it.")
	case enroll.ByNobody:
		fmt.Fprintln(w, "It is not announced, so `mbl-cli list` does not find it; --address does.")
	}
}
