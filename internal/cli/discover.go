package cli

import (
	"context"
	"time"

	"mbl/internal/discovery"
	"mbl/internal/usererr"
)

const (
	// longestSearch is how long to look when nothing answers, and no --timeout
	// is longer: as long as the original did.
	longestSearch = 30 * time.Second
	// defaultAnswers is how long devices have once one of them did answer; a
	// third of that must have passed without anything new.
	defaultAnswers = 3 * time.Second
	// wantedAnswers is how many times longer a device has that is looked for: the
	// question goes out after 1, 3 and 7 seconds again, and an answer that was
	// sent to somebody a second ago is not repeated (RFC 6762 section 6).
	wantedAnswers = 3
	// lastAddresses is how long a device has to tell all its addresses.
	lastAddresses = 300 * time.Millisecond
)

// search looks for devices on the network.
type search struct {
	browse func(context.Context, discovery.Config) (<-chan discovery.Device, error)
	config discovery.Config
	// hostKey finds out the host key behind a report; empty: it cannot be had.
	hostKey func(context.Context, discovery.Device) string
	timeout time.Duration // when nothing is found
	answers time.Duration // how long devices have to answer once one of them did
	// found is told of each device once, as it answers; may be nil.
	found func(discovery.Device)
	// enough ends the search early when it knows the device; may be nil.
	enough func(discovery.Device) bool
}

func newSearch() search {
	return search{browse: discovery.Browse, hostKey: hostKeyBehind, timeout: longestSearch, answers: defaultAnswers}
}

// checkTimeout refuses a --timeout that cannot be waited for.
func (s search) checkTimeout() error {
	if s.timeout <= 0 || s.timeout > longestSearch {
		return usererr.Usage("--timeout is %v, not from 1ms to %v", s.timeout, longestSearch)
	}
	return nil
}

// run returns the devices in the order they answered. It ends when no more are
// to be expected.
func (s search) run(ctx context.Context) ([]discovery.Device, error) {
	searching, stop := context.WithCancel(ctx)
	defer stop()
	reports, err := s.browse(searching, s.config)
	if err != nil {
		return nil, err
	}
	answers := s.answers
	if s.enough != nil {
		answers *= wantedAnswers
	}
	start := time.Now()
	over := time.NewTimer(s.timeout)
	defer over.Stop()
	keys := make(chan hostKey)
	seen := &sightings{found: s.found, identify: func(d *sighted) { go s.identify(searching, d, d.reports[0], keys) }}
	ending := false
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over.C:
			if seen.pending() { // its host key comes, or cannot be had
				over.Reset(lastAddresses)
				continue
			}
			stop()
		case key := <-keys:
			seen.noteKey(key)
		case report, open := <-reports:
			if !open {
				return seen.all(), ctx.Err()
			}
			seen.note(report)
			switch passed := time.Since(start); {
			case ending || len(seen.devices) == 0:
			case s.enough != nil && s.enough(report):
				ending = true
				over.Reset(lastAddresses)
			default:
				over.Reset(min(s.timeout, max(answers, answers/3+passed)) - passed)
			}
		}
	}
}

// identify finds out the host key behind a report.
func (s search) identify(ctx context.Context, of *sighted, report discovery.Device, keys chan<- hostKey) {
	key := hostKey{of, s.hostKey(ctx, report)}
	select {
	case keys <- key:
	case <-ctx.Done():
	}
}
