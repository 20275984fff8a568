package transfer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"mbl/internal/ssh"
)

// Options are how to copy.
type Options struct {
	Recursive bool // take folders too

	// NoChecksum leaves out comparing checksums, and going on with what an
	// earlier copy left, which depends on them.
	NoChecksum bool

	// DryRun finds out what would be copied, and changes nothing.
	DryRun bool

	// Progress is told what has been copied, as often as something has; nil:
	// nobody is told. It is called from one goroutine at a time.
	Progress func(Progress)

	Log *slog.Logger // nil: no log
}

// Progress is how far a copy is, in bytes.
type Progress struct{ Done, Total int64 }

// Result is what was copied.
type Result struct {
	Files    int       `json:"files"`
	Folders  int       `json:"folders"` // the copied folder and those in it
	Links    int       `json:"links"`
	Bytes    int64     `json:"bytes"`         // of all the files
	Resumed  int64     `json:"resumed_bytes"` // of these, what an earlier copy had left
	Skipped  []Skipped `json:"skipped"`
	Protocol string    `json:"protocol"` // sftp, shell or scp
	Checked  string    `json:"checked"`  // what was compared: sha256, or size where there were no checksums; empty if nothing was
	DryRun   bool      `json:"dry_run"`  // all of this would be copied
}

// ctrlCGrace is how long a device may take to answer what it was asked before
// ctx ended; then the connection is closed.
const ctrlCGrace = 500 * time.Millisecond

// Get copies the file or folder src of the device to dst here: into dst if
// that is a folder, else under that name. Permissions are kept; links in a
// folder are copied as links, except those that leave it. The result tells
// what was copied even if there is an error; with DryRun, what would be.
func Get(ctx context.Context, conn *ssh.Client, src, dst string, opts Options) (Result, error) {
	return run(ctx, conn, opts, func(far device) *copier {
		c := &copier{sides: sides{from: far, to: local{}}}
		c.move = c.download
		_, c.lengthsKnown = far.(wholeWriter)
		return c
	}, fromHome(src), dst)
}

// Put copies the file or folder src from here to dst on the device, as Get
// does the other way round.
func Put(ctx context.Context, conn *ssh.Client, src, dst string, opts Options) (Result, error) {
	return run(ctx, conn, opts, func(far device) *copier {
		c := &copier{sides: sides{from: local{}, to: far, toDevice: true}}
		c.move = c.upload
		if whole, ok := far.(wholeWriter); ok {
			c.move, c.inPlace, c.carries = c.uploadWhole(whole), true, whole.carries
		}
		return c
	}, src, fromHome(dst))
}

func run(ctx context.Context, conn *ssh.Client, opts Options, direct func(device) *copier, src, dst string) (Result, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	ended := make(chan struct{})
	defer close(ended)
	stop := context.AfterFunc(ctx, func() { closeUnless(ended, conn) })
	defer stop()
	far, err := open(ctx, conn)
	if err != nil {
		return Result{Skipped: []Skipped{}}, err
	}
	defer far.Close()
	opts.Log.Debug("copying", "protocol", far.way())
	c := direct(far)
	c.far, c.opts = far, opts
	c.noSums = opts.NoChecksum
	result, err := c.copy(ctx, src, dst)
	result.Protocol = far.way()
	return result, err
}

// closeUnless closes a connection on which a copy does not end by itself.
func closeUnless(ended <-chan struct{}, conn *ssh.Client) {
	select {
	case <-ended:
	case <-time.After(ctrlCGrace):
		conn.Close()
	}
}

// open chooses the way to the device's files.
func open(ctx context.Context, conn *ssh.Client) (device, error) {
	far, err := openSFTP(ctx, conn)
	if errors.Is(err, ssh.ErrNoSubsystem) {
		return openWithoutSFTP(ctx, conn)
	}
	if err != nil {
		return nil, err
	}
	return far, nil
}

// openWithoutSFTP tries scp only where it would fail otherwise.
func openWithoutSFTP(ctx context.Context, conn *ssh.Client) (device, error) {
	far, err := openShell(ctx, conn)
	if err == nil {
		return far, nil
	}
	if !errors.Is(err, ssh.ErrExec) {
		return nil, err
	}
	last, noSCP := openSCP(ctx, conn)
	switch {
	case noSCP == nil:
		return last, nil
	case errors.Is(noSCP, ssh.ErrExec):
		return nil, err // the shell's words tell more
	default:
		return nil, noSCP
	}
}

// fromHome reads ~ and ~/… : both SFTP and a shell begin in the home folder.
func fromHome(name string) string {
	if name == "~" {
		return "."
	}
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		return "./" + rest
	}
	return name
}
