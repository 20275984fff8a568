package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"mbl/internal/ssh"
	"mbl/internal/ssh/transfer"
	"mbl/internal/usererr"
)

// copyLong is what get and put have in common.
const copyLong = `If DST is a folder, the copy goes into it; else DST is the copy's name. Names on
the device that do not begin with / are in the home folder of its account.

A file gets its name only once it is whole and compared with its source. When a
copy breaks off, what there is of a large file stays beside its place as
.NAME.part; the same command goes on from there. Permissions are kept. In
folders, links are copied as links; those that lead out of the folder, and what
is neither file nor folder, are left out and listed.

Where the device has neither SFTP nor a shell for the account, its scp is used.
It cannot do all of this: a file on the device is written under its own name at
once, sizes are compared instead of contents, a copy that broke off begins anew,
links are followed on the way here and left out on the way there.`

// progressInterval is how often the bar is drawn.
const progressInterval = 100 * time.Millisecond

type copyOptions struct {
	recursive        bool
	noChecksum       bool
	dryRun           bool
	acceptNewHostKey bool
}

// copyFunc is transfer.Get or transfer.Put.
type copyFunc func(ctx context.Context, conn *ssh.Client, src, dst string, opts transfer.Options) (transfer.Result, error)

func addCopyFlags(cmd *cobra.Command, opts *copyOptions) {
	cmd.Flags().BoolVarP(&opts.recursive, "recursive", "r", false, "copy folders too, with all that is in them")
	cmd.Flags().BoolVar(&opts.noChecksum, "no-checksum", false, "compare sizes only, and always begin anew")
	cmd.Flags().BoolVar(&opts.dryRun, "dry-run", false, "say what would be copied, and copy nothing")
	addHostKeyFlag(cmd, &opts.acceptNewHostKey)
}

func (a *app) copyFiles(ctx context.Context, run copyFunc, src, dst string, opts copyOptions) error {
	target, err := a.target()
	if err != nil {
		return err
	}
	client, err := a.connect(ctx, target, opts.acceptNewHostKey)
	if err != nil {
		return err
	}
	defer client.Close()
	bar := a.newCopyBar()
	result, err := run(ctx, client, src, dst, transfer.Options{
		Recursive: opts.recursive, NoChecksum: opts.noChecksum, DryRun: opts.dryRun, Progress: bar.show, Log: a.log(),
	})
	bar.clear()
	for _, skipped := range result.Skipped {
		a.progress("Left out %q: %s.", skipped.Path, skipped.Reason)
	}
	if err != nil {
		return a.copyFailed(ctx, err)
	}
	return a.printCopied(result)
}

func (a *app) printCopied(result transfer.Result) error {
	return a.print(result, func(w io.Writer) {
		if a.flags.quiet {
			return
		}
		done := "Copied"
		if result.DryRun {
			done = "Would copy"
		}
		fmt.Fprintf(w, "%s %s, %s", done, counted(result.Files, "file"), humanize.IBytes(uint64(result.Bytes)))
		if result.Folders > 0 {
			fmt.Fprintf(w, ", %s", counted(result.Folders, "folder"))
		}
		if result.Links > 0 {
			fmt.Fprintf(w, ", %s", counted(result.Links, "link"))
		}
		if result.Resumed > 0 {
			fmt.Fprintf(w, " (%s were there already)", humanize.IBytes(uint64(result.Resumed)))
		}
		fmt.Fprintln(w, ".")
	})
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// copyFailed says what is left of a copy that broke off.
func (a *app) copyFailed(ctx context.Context, err error) error {
	var half *transfer.HalfError
	if errors.As(err, &half) {
		return a.copyTornOff(ctx, err, half)
	}
	var part *transfer.PartError
	if !errors.As(err, &part) {
		return err
	}
	kept := fmt.Sprintf("what was copied is kept as %q; the same command goes on from there", part.Part)
	if ctx.Err() != nil {
		fmt.Fprintf(a.sys.Err, "mbl-cli: %s\n", oneLine(kept))
		return err
	}
	told := a.explain(ctx, err)
	return usererr.New(told.Code, "%s", told.Message).WithHint("%s", kept).Because(err)
}

// copyTornOff says that a file on a device that has only scp was not finished.
func (a *app) copyTornOff(ctx context.Context, err error, half *transfer.HalfError) error {
	torn := fmt.Sprintf("%q on the device may be half-written, because scp cannot write it under another name first; copy it again", half.Name)
	if ctx.Err() != nil {
		fmt.Fprintf(a.sys.Err, "mbl-cli: %s\n", oneLine(torn))
		return err
	}
	told := a.explain(ctx, err)
	return usererr.New(told.Code, "%s", told.Message).WithHint("%s", torn).Because(err)
}

// copyRules say what a person is told about a copy that failed. The file and
// the reason are in the failure's own words.
func copyRules() []rule {
	const failure = usererr.ExitFailure
	return []rule{
		{transfer.ErrFolder, usererr.ExitUsage, "", "-r copies a folder with all that is in it"},
		{transfer.ErrNoFolder, failure, "", "make that folder first; a name on the device that does not begin with / is in its home folder"},
		{transfer.ErrNoSource, failure, "", "check the name; one on the device that does not begin with / is in its home folder"},
		{transfer.ErrInTheWay, failure, "", "move it away, or give the copy another name"},
		{transfer.ErrDenied, failure, "", "it takes an account that may do this"},
		{transfer.ErrNoSpace, failure, "", "make some room there; nothing half-written is left"},
		{transfer.ErrReadOnly, failure, "", "copy to a place that can be written, or mount it so that it can"},
		{transfer.ErrChanged, failure, "", "copy it again when nothing writes to it"},
		{transfer.ErrDiffers, failure, "", "nothing was kept; run the command again"},
		{transfer.ErrLineEnd, failure, "", "give the file another name"},
		{transfer.ErrName, failure, "", "give the file another name there; from a device you do not trust, copy nothing"},
		{transfer.ErrNameLong, failure, "", "give the copy a shorter name"},
		{transfer.ErrDisk, failure, "", "look at the health of the disk it lies on"},
		{transfer.ErrCommand, failure, "", "try it by hand with `mbl-cli shell`"},
		{transfer.ErrAnswer, failure, "", "look what it says with `mbl-cli shell ls -la`"},
		{transfer.ErrTooMuch, failure, "", "copy what is in the folder piece by piece"},
		{transfer.ErrTooDeep, failure, "", "copy the inner folders by themselves"},
		{transfer.ErrLoop, failure, "", "give the name of what the link was to lead to"},
		{transfer.ErrNotRegular, failure, "", "only files and folders can be copied"},
	}
}

// copyBar shows on a terminal how far a copy is, and nothing elsewhere.
type copyBar struct {
	app   *app
	bar   *progressbar.ProgressBar
	began time.Time
}

func (a *app) newCopyBar() *copyBar { return &copyBar{app: a} }

func (b *copyBar) show(progress transfer.Progress) {
	if b.app.flags.quiet || !b.app.sys.ErrTTY {
		return
	}
	if b.bar == nil {
		b.began = time.Now()
		b.bar = progressbar.NewOptions64(max(progress.Total, 1), b.app.barOptions()...)
	}
	if time.Since(b.began) < progressInterval {
		return // nobody can tell how fast it is yet
	}
	_ = b.bar.Set64(min(progress.Done, b.bar.GetMax64())) // a file may grow meanwhile
}

// What has to fit into a line beside the bar, in columns: a line that wraps
// cannot be drawn over.
const (
	roomForTimes = 64 // how long it took and will take
	roomForBytes = 48 // how much was copied, and how fast
)

func (a *app) barOptions() []progressbar.Option {
	columns, _ := screenSize(a.sys.Err)
	times, counts := columns >= roomForTimes, columns >= roomForBytes
	options := []progressbar.Option{
		progressbar.OptionSetWriter(a.sys.Err),
		progressbar.OptionShowBytes(counts),
		progressbar.OptionSetElapsedTime(times),
		progressbar.OptionSetPredictTime(times),
		progressbar.OptionThrottle(progressInterval),
		progressbar.OptionFullWidth(),
		progressbar.OptionUseIECUnits(true),
	}
	if counts {
		options = append(options, progressbar.OptionShowCount())
	}
	return options
}

// clear takes the bar off the screen.
func (b *copyBar) clear() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
