package cli

import (
	"fmt"
	"io"
	"slices"
	"sync"
)

// screen shows what the devices of a fleet are doing: on a terminal a line for
// each that is being worked with, redrawn below the lines of those that are
// over; elsewhere only the latter. It may be used side by side.
type screen struct {
	mu      sync.Mutex
	err     io.Writer // what goes on
	out     io.Writer // how devices ended
	live    bool
	columns int
	rows    int

	doing map[int]string
	order []int // of those in doing, as they were named
	drawn int   // lines on the terminal that will be drawn anew
}

func newScreen(a *app) *screen {
	s := &screen{err: a.sys.Err, out: a.sys.Out, doing: map[int]string{}}
	s.columns, s.rows = screenSize(a.sys.Err)
	if a.flags.output == outputJSON {
		s.out = a.sys.Err
		if a.flags.quiet {
			s.out = io.Discard
		}
	}
	s.live = a.sys.OutTTY && a.sys.ErrTTY && !a.flags.quiet && a.sys.Getenv("TERM") != "dumb"
	return s
}

// set shows what a device is doing.
func (s *screen) set(device int, text string) {
	s.change(func() {
		if _, known := s.doing[device]; !known {
			s.order = append(s.order, device)
			slices.Sort(s.order)
		}
		s.doing[device] = text
	})
}

// forget takes a device's line away.
func (s *screen) forget(device int) {
	s.change(func() { s.remove(device) })
}

// finish shows how a device ended, for good.
func (s *screen) finish(device int, line string) {
	s.change(func() {
		s.remove(device)
		fmt.Fprintln(s.out, line)
	})
}

// pause clears the changing lines away while f writes or asks something.
func (s *screen) pause(f func()) { s.change(f) }

// Write passes on what programs that help with a connection say.
func (s *screen) Write(text []byte) (n int, err error) {
	s.change(func() { n, err = s.err.Write(text) })
	return n, err
}

// close leaves only the lines that stay.
func (s *screen) close() {
	s.change(func() {
		clear(s.doing)
		s.order = nil
	})
}

func (s *screen) remove(device int) {
	delete(s.doing, device)
	s.order = slices.DeleteFunc(s.order, func(other int) bool { return other == device })
}

func (s *screen) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drawn > 0 {
		fmt.Fprintf(s.err, "\x1b[%dA\x1b[J", s.drawn) // up, and clear to the end
		s.drawn = 0
	}
	f()
	if s.live {
		s.draw()
	}
}

// draw writes no more lines than the terminal has, and none that it would
// break: they could not be taken back.
func (s *screen) draw() {
	room := max(s.rows-2, 1)
	for at, device := range s.order {
		if at == room {
			break
		}
		fmt.Fprintln(s.err, cutToWidth(s.doing[device], s.columns-1))
		s.drawn++
	}
}

// cutToWidth keeps what fits. Letters beyond Latin ones may be two columns
// wide.
func cutToWidth(text string, columns int) string {
	for at, r := range text {
		columns--
		if r >= 0x300 {
			columns--
		}
		if columns < 0 {
			return text[:at]
		}
	}
	return text
}
