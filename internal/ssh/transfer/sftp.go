package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/pkg/sftp"

	"mbl/internal/ssh"
)

// sftpDevice reaches the device's files by SFTP (draft-ietf-secsh-filexfer-02
// with OpenSSH's extensions). Checksums are not part of it; they come from the
// shell, if there is one.
type sftpDevice struct {
	*digester
	remoteNames
	client *sftp.Client
	stream io.Closer
}

var (
	_ device   = (*sftpDevice)(nil)
	_ appender = (*sftpDevice)(nil)
)

// openSFTP starts SFTP. Where the server has none the error is
// ssh.ErrNoSubsystem; one that is announced and does not run counts as none.
func openSFTP(ctx context.Context, conn *ssh.Client) (*sftpDevice, error) {
	stream, err := conn.Subsystem(ctx, "sftp")
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { stream.Close() })
	defer stop()
	client, err := sftp.NewClientPipe(stream, stream, sftp.UseConcurrentWrites(true))
	if err != nil {
		stream.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", ssh.ErrNoSubsystem, err)
	}
	if err := enlargePackets(client); err != nil {
		stream.Close()
		return nil, err
	}
	return &sftpDevice{digester: &digester{conn: conn}, client: client, stream: stream}, nil
}

// enlargePackets takes larger packets than the 32 KiB every server takes, where
// the server is an OpenSSH that tells its limits: they are all above this.
func enlargePackets(client *sftp.Client) error {
	if _, known := client.HasExtension("limits@openssh.com"); !known {
		return nil
	}
	return sftp.MaxPacketUnchecked(128 << 10)(client)
}

func (d *sftpDevice) way() string { return "sftp" }

// Close implements io.Closer.
func (d *sftpDevice) Close() error {
	d.digester.close()
	return d.stream.Close()
}

func (d *sftpDevice) stat(_ context.Context, name string) (entry, error) {
	info, err := d.client.Stat(name)
	if err != nil {
		return entry{}, d.translated(err)
	}
	return entry{name: path.Base(name), mode: info.Mode(), size: info.Size()}, nil
}

func (d *sftpDevice) list(ctx context.Context, folder string) ([]entry, error) {
	found, err := d.client.ReadDirContext(ctx, folder)
	if err != nil {
		return nil, d.translated(err)
	}
	entries := make([]entry, 0, len(found))
	for _, info := range found {
		e := entry{name: info.Name(), mode: info.Mode(), size: info.Size()}
		if e.mode&fs.ModeSymlink != 0 {
			if e.target, err = d.client.ReadLink(d.join(folder, e.name)); err != nil {
				return nil, d.translated(err)
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (d *sftpDevice) mkdir(_ context.Context, folder string) error {
	if err := d.client.Mkdir(folder); err != nil {
		return d.translated(err)
	}
	return d.translated(d.client.Chmod(folder, 0o700))
}

func (d *sftpDevice) chmod(_ context.Context, name string, mode fs.FileMode) error {
	return d.translated(d.client.Chmod(name, mode.Perm()))
}

func (d *sftpDevice) symlink(_ context.Context, target, name string) error {
	if info, err := d.client.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := d.client.Remove(name); err != nil {
			return d.translated(err)
		}
	}
	return d.translated(d.client.Symlink(target, name))
}

func (d *sftpDevice) rename(_ context.Context, from, to string) error {
	err := d.client.PosixRename(from, to)
	if unsupported(err) {
		// Without the extension a rename does not replace. For a moment the
		// name is free then, but never half-written.
		_ = d.client.Remove(to)
		err = d.client.Rename(from, to)
	}
	return d.translated(err)
}

func (d *sftpDevice) remove(_ context.Context, name string) error {
	return d.translated(d.client.Remove(name))
}

func (d *sftpDevice) read(_ context.Context, name string, from int64, w io.Writer) error {
	f, err := d.client.Open(name)
	if err != nil {
		return d.translated(err)
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return d.translated(err)
	}
	_, err = f.WriteTo(w)
	return d.translated(err)
}

func (d *sftpDevice) write(_ context.Context, name string, at int64, mode fs.FileMode, r io.Reader) error {
	flags := os.O_WRONLY | os.O_CREATE
	if at == 0 {
		flags |= os.O_TRUNC
	}
	f, err := d.client.OpenFile(name, flags)
	if err != nil {
		return d.translated(err)
	}
	return d.explained(name, errors.Join(fill(f, at, mode, r), f.Close()))
}

// fill gives the file its mode before it holds anything that others may not
// read.
func fill(f *sftp.File, at int64, mode fs.FileMode, r io.Reader) error {
	if err := f.Chmod(mode.Perm()); err != nil {
		return err
	}
	if at > 0 {
		if err := f.Truncate(at); err != nil {
			return err
		}
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			return err
		}
	}
	_, err := f.ReadFromWithConcurrency(r, requestsAtOnce)
	return err
}

// requestsAtOnce is how many writes may be on their way.
const requestsAtOnce = 32

// explained looks for the reason of a failed write, of which SFTP only says
// that it failed.
func (d *sftpDevice) explained(name string, err error) error {
	var status *sftp.StatusError
	if !errors.As(err, &status) {
		return d.translated(err)
	}
	folder, _ := d.split(name)
	disk, statErr := d.client.StatVFS(folder)
	if statErr == nil && disk.Bavail == 0 {
		return &reason{ErrNoSpace, err}
	}
	return saidError(err.Error(), d.translated(err))
}

func (d *sftpDevice) translated(err error) error {
	if errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &reason{ssh.ErrDropped, err}
	}
	return translated(err)
}

// unsupported tells whether the server does not know a request.
func unsupported(err error) bool {
	var status *sftp.StatusError
	return errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxOpUnsupported
}
