package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"mbl/internal/discovery"
	"mbl/internal/filelock"
	"mbl/internal/sandbox/devicetree"
	"mbl/internal/sandbox/shell"
	"mbl/internal/sandbox/sshserver"
	"mbl/internal/secret"
	"mbl/internal/usererr"
)

const deviceLong = `Runs one virtual device until Ctrl-C: an SSH server, a file tree in DIR, the
device program, which connects by itself once the device is provisioned, and an
mDNS announcement by which "mbl-cli list" finds it.

Anybody on this machine may log in as root, as on a development board, so it
listens on loopback addresses only. Commands run in an interpreter: they see
nothing outside DIR and run no program of this machine.

Once it is ready it prints its address, and DIR/run.json holds it until the end:
{"ssh": "127.0.0.1:PORT", "name": NAME, "pid": N}`

type deviceOptions struct {
	root           string
	ssh            string
	name           string
	passwordFile   string
	authorizedKeys string
	announce       bool
}

func newDeviceCommand(a *app) *cobra.Command {
	var opts deviceOptions
	cmd := &cobra.Command{
		Use:     "device --root DIR --ssh ADDRESS",
		Short:   "Run one virtual device",
		Long:    deviceLong,
		Example: "  mbl-sandbox device --root /tmp/my-device --ssh 127.0.0.1:0 --name my-device",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runDevice(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.root, "root", "", "`DIR` that is the device's file tree (made if need be)")
	flags.StringVar(&opts.ssh, "ssh", "127.0.0.1:0", "loopback `ADDRESS` to listen on; port 0 picks one")
	flags.StringVar(&opts.name, "name", "", "host `NAME` of the device (default: the one it had, else mbl-sandbox-PORT)")
	flags.StringVar(&opts.passwordFile, "password-file", "", "`FILE` with the password to ask for when somebody logs in")
	flags.StringVar(&opts.authorizedKeys, "authorized-keys", "", "`FILE` with the SSH keys that alone are let in")
	flags.BoolVar(&opts.announce, "announce", true, "announce the device by mDNS")
	if err := cmd.MarkFlagRequired("root"); err != nil {
		panic(err) // the flag is declared above
	}
	return cmd
}

func (a *app) runDevice(ctx context.Context, opts deviceOptions) (err error) {
	listener, err := listenLoopback(ctx, opts.ssh)
	if err != nil {
		return err
	}
	defer listener.Close()
	tree, err := devicetree.Open(opts.root)
	if err != nil {
		return err
	}
	defer tree.Close()
	unlock, err := lockTree(tree.HostPath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	device, err := a.newVirtualDevice(tree, listener, opts)
	if err != nil {
		return err
	}
	return device.run(ctx, listener)
}

// lockTree keeps a second device off the file tree until unlock is called or
// the process ends. The lock is the folder's own, and leaves nothing in it.
func lockTree(dir string) (unlock func() error, err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the device's folder: %w", err)
	}
	err = filelock.TryLock(folder)
	if errors.Is(err, filelock.ErrHeld) {
		err = usererr.Failure("a virtual device runs on %s already", dir).WithHint("--root names another folder")
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder.Close, nil
}

// listenLoopback listens on a TCP address of this machine only.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usererr.Usage("bad address %q", address).WithHint("write it as 127.0.0.1:2222")
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, usererr.Failure("will not listen on %s", address).
			WithHint("a virtual device lets everybody in: give it a loopback address, such as 127.0.0.1:0 or [::1]:0")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return listener, nil
}

// virtualDevice is a device that is ready to run.
type virtualDevice struct {
	name   string
	dir    string // the tree's folder, absolute
	tree   *devicetree.Tree
	server *sshserver.Server
	daemon daemon
	log    *slog.Logger
	ready  func(runFile)
	opts   deviceOptions
}

func (a *app) newVirtualDevice(tree *devicetree.Tree, listener net.Listener, opts deviceOptions) (*virtualDevice, error) {
	dir, err := filepath.Abs(tree.HostPath())
	if err != nil {
		return nil, fmt.Errorf("cannot tell where %s is: %w", tree.HostPath(), err)
	}
	program, err := a.findProgram("mbl-device")
	if err != nil {
		return nil, err
	}
	name := deviceName(tree, listener.Addr(), opts.name)
	if err := furnish(tree, name); err != nil {
		return nil, err
	}
	ssh, err := sshConfig(tree, opts)
	if err != nil {
		return nil, err
	}
	log := a.log()
	ssh.Log = log
	ssh.Shell = &shell.Shell{Tree: tree, Hostname: name, Programs: devicePrograms(program, dir)}
	return &virtualDevice{
		name: name, dir: dir, tree: tree, opts: opts, log: log,
		server: sshserver.New(ssh),
		daemon: daemon{program: program, dir: dir, output: a.sys.Err, log: log},
		ready: func(run runFile) {
			fmt.Fprintf(a.sys.Out, "%s: SSH on %s (log in as root)\n", run.Name, run.SSH)
		},
	}, nil
}

// deviceName is the name asked for, else the one the tree has, else one made
// from the port.
func deviceName(tree *devicetree.Tree, addr net.Addr, asked string) string {
	if asked != "" {
		return asked
	}
	if data, err := tree.ReadFile(hostnameFile); err == nil {
		if name := strings.TrimSpace(string(data)); name != "" {
			return name
		}
	}
	return fmt.Sprintf("mbl-sandbox-%d", addr.(*net.TCPAddr).Port)
}

func sshConfig(tree *devicetree.Tree, opts deviceOptions) (sshserver.Config, error) {
	hostKey, err := sshserver.LoadHostKey(tree)
	if err != nil {
		return sshserver.Config{}, err
	}
	cfg := sshserver.Config{HostKey: hostKey}
	if opts.passwordFile != "" {
		data, err := os.ReadFile(opts.passwordFile)
		if err != nil {
			return cfg, fmt.Errorf("cannot read the password: %w", err)
		}
		cfg.Password = secret.New(strings.TrimRight(string(data), "\r\n"))
		if cfg.Password.Empty() {
			return cfg, usererr.Failure("%s holds no password", opts.passwordFile)
		}
	}
	if opts.authorizedKeys != "" {
		cfg.AuthorizedKeys, err = readAuthorizedKeys(opts.authorizedKeys)
	}
	return cfg, err
}

func readAuthorizedKeys(file string) ([]ssh.PublicKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the authorized keys: %w", err)
	}
	var keys []ssh.PublicKey
	for len(data) > 0 {
		key, _, _, rest, err := ssh.ParseAuthorizedKey(data)
		if err != nil {
			break // what follows the last key
		}
		keys = append(keys, key)
		data = rest
	}
	if len(keys) == 0 {
		return nil, usererr.Failure("%s holds no SSH key", file)
	}
	return keys, nil
}

// run serves until ctx ends, and takes everything down when one part fails.
func (d *virtualDevice) run(ctx context.Context, listener net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.server.Serve(ctx, listener) })
	group.Go(func() error { return d.daemon.run(ctx) })
	if d.opts.announce {
		group.Go(func() error { d.announce(ctx, listener.Addr()); return nil })
	}
	run := runFile{SSH: listener.Addr().String(), Name: d.name, PID: os.Getpid()}
	if err := run.write(d.dir); err != nil {
		return errors.Join(err, listener.Close(), group.Wait())
	}
	d.ready(run)
	err := group.Wait()
	return errors.Join(err, removeRunFile(d.dir))
}

// announce makes the device known by mDNS. A machine where that is not
// possible still has the device, by its address.
func (d *virtualDevice) announce(ctx context.Context, addr net.Addr) {
	at := addr.(*net.TCPAddr).AddrPort()
	err := discovery.Announce(ctx, discovery.Announcement{
		Device: discovery.Device{Name: d.name, Host: d.name, Port: at.Port(), Addresses: []netip.Addr{at.Addr().Unmap()}},
		Log:    d.log,
	})
	if err != nil {
		d.log.Warn("mDNS is not possible here: name the device by its address", "error", err)
	}
}
