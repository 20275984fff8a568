package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"mbl/internal/ssh"
)

// scpDevice reaches the device's files through its scp, where the account may
// run that and nothing else. scp knows whole files and folders, and no more:
//
//   - There is no way to give a file another name. So a file is written under
//     its own name at once, and one that breaks off is there half-written;
//     HalfError says so. Its times are new, as with every other way.
//   - There are no checksums; sizes are compared. Nothing is taken up again.
//   - Links are followed when they are read, and cannot be made.
//   - A name with a line end cannot be carried.
//   - A file that does not tell its length, as those in /proc, comes empty
//     from the device.
//
// Each file and each folder's list is a run of scp of its own that is asked
// for by name; the device never says where something goes.
type scpDevice struct {
	remoteNames
	conn *ssh.Client
}

var (
	_ device      = (*scpDevice)(nil)
	_ wholeWriter = (*scpDevice)(nil)
)

// openSCP makes sure that there is an scp: it describes the home folder. The
// error is ssh.ErrExec where there is none.
func openSCP(ctx context.Context, conn *ssh.Client) (*scpDevice, error) {
	d := &scpDevice{conn: conn}
	_, err := d.stat(ctx, ".")
	var told *complaint
	if err == nil || errors.As(err, &told) {
		return d, nil
	}
	if errors.Is(err, errRecord) {
		return nil, fmt.Errorf("%w: %w", ssh.ErrExec, err)
	}
	return nil, err
}

func (d *scpDevice) way() string { return "scp" }

// Close implements io.Closer.
func (d *scpDevice) Close() error { return nil }

// carries implements wholeWriter.
func (d *scpDevice) carries(name string) error {
	if strings.Contains(name, "\n") {
		return fmt.Errorf("%w: %q", ErrLineEnd, name)
	}
	return nil
}

// declined answers what is described and not wanted; scp leaves it out.
const declined = "\x01only looking\n"

func (d *scpDevice) stat(ctx context.Context, name string) (entry, error) {
	if err := d.carries(name); err != nil {
		return entry{}, err
	}
	talk := startSCP(ctx, d.conn, "-r -f", name)
	defer talk.hangUp()
	r, err := talk.offered()
	var told *complaint
	if errors.As(err, &told) && told.notRegular() {
		return entry{name: path.Base(name), mode: fs.ModeIrregular}, nil
	}
	if err != nil {
		return entry{}, err
	}
	r.name = path.Base(name)
	return r.entry, talk.say(declined)
}

// offered asks for what scp was started for and returns its description.
func (t *scpTalk) offered() (record, error) {
	if err := t.say("\x00"); err != nil {
		return record{}, err
	}
	r, err := t.next()
	if errors.Is(err, ErrName) && r.kind == scpFolder {
		err = nil // "." is the folder's name where it was asked for by that
	}
	if err == nil && r.kind != scpFile && r.kind != scpFolder {
		return record{}, fmt.Errorf("%w: it offers %q for a file", errRecord, r.kind)
	}
	return r, err
}

// mostEntries bounds what a folder may hold: a device may go on for ever.
const mostEntries = 1 << 20

func (d *scpDevice) list(ctx context.Context, folder string) ([]entry, error) {
	if err := d.carries(folder); err != nil {
		return nil, err
	}
	talk := startSCP(ctx, d.conn, "-r -f", folder)
	defer talk.hangUp()
	r, err := talk.offered()
	if err != nil {
		return nil, err
	}
	if r.kind != scpFolder {
		return nil, ErrChanged
	}
	return talk.entries()
}

// entries reads what is in the offered folder, and declines all of it.
func (t *scpTalk) entries() ([]entry, error) {
	var found []entry
	answer := "\x00"
	for len(found) < mostEntries {
		if err := t.say(answer); err != nil {
			return nil, err
		}
		r, err := t.afterComplaints(&found)
		switch {
		case err != nil:
			return nil, err
		case r.kind == scpEnd:
			return found, t.say("\x00")
		case r.kind != scpFile && r.kind != scpFolder:
			return nil, fmt.Errorf("%w: there is %q in a folder", errRecord, r.kind)
		}
		found = append(found, r.entry)
		answer = declined
	}
	return nil, fmt.Errorf("%w: a folder has no end", errRecord)
}

// afterComplaints is the next description in a folder. Of what scp leaves out
// by itself, for being neither file nor folder or leading nowhere, it says so
// and goes on without an answer.
func (t *scpTalk) afterComplaints(found *[]entry) (record, error) {
	for len(*found) < mostEntries {
		r, err := t.next()
		var told *complaint
		if !errors.As(err, &told) {
			return r, err
		}
		if r.kind == scpFatal || !told.notRegular() && !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		*found = append(*found, entry{name: told.about(), mode: fs.ModeIrregular})
	}
	return record{}, fmt.Errorf("%w: a folder has no end", errRecord)
}

func (d *scpDevice) read(ctx context.Context, name string, from int64, w io.Writer) error {
	talk := startSCP(ctx, d.conn, "-f", name)
	defer talk.hangUp()
	r, err := talk.offered()
	if err != nil {
		return err
	}
	if r.kind != scpFile || r.size < from {
		return ErrChanged
	}
	if err := talk.say("\x00"); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, talk.output, from); err != nil {
		return talk.why(err)
	}
	if _, err := io.CopyBuffer(w, io.LimitReader(talk.output, r.size-from), make([]byte, 64<<10)); err != nil {
		return talk.why(err)
	}
	if err := talk.accepted(); err != nil { // it is also the end of a file that came short
		return err
	}
	if err := talk.say("\x00"); err != nil {
		return err
	}
	return talk.finish()
}

// writeWhole implements wholeWriter.
func (d *scpDevice) writeWhole(ctx context.Context, name string, mode fs.FileMode, size int64, r io.Reader) error {
	if err := d.carries(name); err != nil {
		return err
	}
	talk := startSCP(ctx, d.conn, "-p -t", name) // -p: this very mode
	defer talk.hangUp()
	if err := talk.accepted(); err != nil {
		return err
	}
	if err := talk.agreed(fmt.Sprintf("C%04o %d %s\n", mode.Perm(), size, path.Base(name))); err != nil {
		return err
	}
	if err := talk.send(r, size); err != nil {
		return &HalfError{Name: name, Err: err}
	}
	return nil
}

// send sends a file's bytes and waits until the device has kept them.
func (t *scpTalk) send(r io.Reader, size int64) error {
	n, err := io.CopyBuffer(t.input, io.LimitReader(r, size), make([]byte, 128<<10))
	if errors.Is(err, io.EOF) {
		return t.cutOff()
	}
	if err != nil {
		return err
	}
	if n < size {
		return ErrChanged
	}
	if err := t.agreed("\x00"); err != nil {
		return err
	}
	return t.finish()
}

// cutOff is why scp ended before it had all bytes.
func (t *scpTalk) cutOff() error {
	if err := t.accepted(); err != nil {
		return err
	}
	return fmt.Errorf("%w: it ends before the file does", errRecord)
}

func (d *scpDevice) mkdir(ctx context.Context, folder string) error {
	_, err := d.stat(ctx, folder)
	if err == nil {
		return fs.ErrExist // scp would change its mode
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.offerFolder(ctx, folder, 0o700)
}

// chmod implements files, for folders: files get their modes when they are
// written.
func (d *scpDevice) chmod(ctx context.Context, folder string, mode fs.FileMode) error {
	return d.offerFolder(ctx, folder, mode)
}

// offerFolder makes a folder if there is none, and gives it the mode.
func (d *scpDevice) offerFolder(ctx context.Context, folder string, mode fs.FileMode) error {
	parent, base := d.split(folder)
	talk := startSCP(ctx, d.conn, "-r -p -d -t", parent)
	defer talk.hangUp()
	if err := talk.accepted(); err != nil {
		return err
	}
	if err := talk.agreed(fmt.Sprintf("D%04o 0 %s\n", mode.Perm(), base)); err != nil {
		return err
	}
	if err := talk.agreed("E\n"); err != nil {
		return err
	}
	return talk.finish()
}

func (d *scpDevice) symlink(context.Context, string, string) error { return errNoLinks }

func (d *scpDevice) rename(context.Context, string, string) error { return errors.ErrUnsupported }

func (d *scpDevice) remove(context.Context, string) error { return errors.ErrUnsupported }

func (d *scpDevice) sums(context.Context, []string) ([]string, error) { return nil, errNoSums }
