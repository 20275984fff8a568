package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mbl/internal/secret"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const (
	defaultParallel = 16
	maxParallel     = 256
)

// errNotTried: a device's turn never came.
var errNotTried = errors.New("not tried")

// fleetOptions are the flags of commands that work with many devices.
type fleetOptions struct {
	all              bool
	from             string
	parallel         int
	acceptNewHostKey bool
}

func addFleetFlags(cmd *cobra.Command, opts *fleetOptions) {
	cmd.Flags().BoolVar(&opts.all, "all", false, "work with every device on the network")
	cmd.Flags().StringVar(&opts.from, "from", "", "work with the devices in `FILE`: an address or a name a line; - is standard input")
	cmd.Flags().IntVar(&opts.parallel, "parallel", defaultParallel, "work with `N` devices at a time")
	addHostKeyFlag(cmd, &opts.acceptNewHostKey)
}

// isFleet: many devices were named, or a way that may name many.
func (a *app) isFleet(opts fleetOptions) bool {
	return opts.all || opts.from != "" || len(a.flags.addresses) > 1
}

// fleet is the devices of one command, and how they are worked with side by
// side.
type fleet struct {
	app      *app
	members  []member
	parallel int
	config   ssh.Config
	screen   *screen
}

func (a *app) newFleet(ctx context.Context, opts fleetOptions) (*fleet, error) {
	if opts.parallel < 1 || opts.parallel > maxParallel {
		return nil, usererr.Usage("--parallel is %d, not from 1 to %d", opts.parallel, maxParallel)
	}
	config, err := a.sshConfig(opts.acceptNewHostKey)
	if err != nil {
		return nil, err
	}
	members, err := a.members(ctx, opts)
	if err != nil {
		return nil, err
	}
	f := &fleet{app: a, members: members, parallel: opts.parallel, config: config, screen: newScreen(a)}
	f.config.Stderr = f.screen
	f.config.Warn = once(func(text string) { f.screen.pause(func() { a.warn("%s", text) }) })
	if a.interactive() {
		f.config.AskPassphrase = onceEach(func(ctx context.Context, file string) (text secret.Text, err error) {
			f.screen.pause(func() { text, err = a.askPassphrase(ctx, file) })
			return text, err
		})
	}
	return f, nil
}

// once passes each text on once, however many devices it concerns.
func once(tell func(string)) func(string) {
	var told sync.Map
	return func(text string) {
		if _, known := told.LoadOrStore(text, true); !known {
			tell(text)
		}
	}
}

// onceEach asks for each key file once, however many devices want it.
func onceEach(ask func(context.Context, string) (secret.Text, error)) func(context.Context, string) (secret.Text, error) {
	var mu sync.Mutex
	answers := map[string]secret.Text{}
	return func(ctx context.Context, file string) (secret.Text, error) {
		mu.Lock()
		defer mu.Unlock()
		if answer, known := answers[file]; known {
			return answer, nil
		}
		answer, err := ask(ctx, file)
		if err == nil {
			answers[file] = answer
		}
		return answer, err
	}
}

// task is what is done with each device of a fleet. Its functions get the
// number of the device; do is called side by side, for each device once at a
// time.
type task struct {
	do   func(ctx context.Context, device int) error
	over func(device int, err error) string // the line that says how it ended
}

// run does a task with every device and returns how each ended, errNotTried
// for those whose turn never came. One failure stops nobody, unless it
// concerns everybody. Devices whose host key is not known come last, after one
// question about all of them.
func (f *fleet) run(ctx context.Context, t task) []error {
	ended := make([]error, len(f.members))
	everybody := make([]int, len(f.members))
	for i := range everybody {
		everybody[i] = i
	}
	ask := f.app.interactive()
	f.each(ctx, everybody, t, ended, ask)
	strangers := slices.DeleteFunc(everybody, func(i int) bool { return !ask || !isStranger(ended[i]) })
	if len(strangers) > 0 {
		f.meet(ctx, strangers, t, ended)
	}
	f.screen.close()
	return ended
}

func isStranger(err error) bool { return errors.Is(err, ssh.ErrHostKeyUnknown) }

// each does the task with some of the devices. Strangers may get a second
// chance, so their end is not told yet.
func (f *fleet) each(ctx context.Context, devices []int, t task, ended []error, secondChance bool) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.SetLimit(f.parallel)
	for _, i := range devices {
		group.Go(func() error {
			ended[i] = errNotTried
			if working.Err() == nil {
				ended[i] = t.do(working, i)
			}
			if concernsAll(ended[i]) {
				stop()
			}
			abandoned := working.Err() != nil && ctx.Err() == nil // told once for all
			if abandoned || secondChance && isStranger(ended[i]) {
				f.screen.forget(i)
				return nil
			}
			f.screen.finish(i, t.over(i, ended[i]))
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
}

// meet asks once about the keys of all strangers and goes on with them.
func (f *fleet) meet(ctx context.Context, strangers []int, t task, ended []error) {
	shown := map[string]bool{}
	f.screen.pause(func() {
		fmt.Fprintf(f.app.sys.Err, "Not known yet: %s. Host keys:\n", counted(len(strangers), "device"))
		for _, i := range strangers {
			var refused *ssh.HostKeyError
			if errors.As(ended[i], &refused) {
				shown[keyOf(refused.HostKey)] = true
				fmt.Fprintf(f.app.sys.Err, "  %s  %s %s\n", f.members[i], oneLine(refused.Type), oneLine(refused.Fingerprint))
			}
		}
	})
	trusted, err := f.app.confirm(ctx, "Compare them with the devices. Trust them all?")
	if err != nil || !trusted {
		for _, i := range strangers {
			f.screen.finish(i, t.over(i, ended[i]))
		}
		return
	}
	f.config.AskHostKey = func(_ context.Context, key ssh.HostKey) (bool, error) { return shown[keyOf(key)], nil }
	f.each(ctx, strangers, t, ended, false)
}

func keyOf(key ssh.HostKey) string { return key.Host + " " + key.Type + " " + key.Fingerprint }

// connect logs in to a device at the first of its addresses that answers.
func (f *fleet) connect(ctx context.Context, device int) (*ssh.Client, error) {
	m := f.members[device]
	target := m.target
	if len(m.others) > 0 {
		if address := reachable(ctx, append([]string{m.target.String()}, m.others...)); address != "" {
			answering, err := ssh.ParseTarget(address)
			if err != nil {
				return nil, err
			}
			answering.Alias = target.Alias
			target = answering
		}
	}
	return ssh.Dial(ctx, target, f.config)
}

// say shows what a device is doing.
func (f *fleet) say(device int, doing string) {
	f.screen.set(device, fmt.Sprintf("%s: %s", f.members[device], doing))
}
