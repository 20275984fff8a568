package sandbox

import (
	"fmt"
	"time"

	"mbl/internal/sandbox/swarm"
)

// swarmTeller says how a swarm is doing, when that has changed and not too
// often.
type swarmTeller struct {
	told  int // devices registered, as last told
	at    time.Duration
	tried bool // told that all have had time to join
}

// next is the line to print now, empty if there is none.
func (t *swarmTeller) next(status swarm.Status, since time.Duration) string {
	up := status.Up()
	all := up == status.Devices
	tried := status.Tried == status.Devices && !t.tried
	if (up == t.told && !tried) || (!all && !tried && since < t.at+swarmReport) {
		return ""
	}
	t.told, t.at, t.tried = up, since, t.tried || tried
	if all {
		return fmt.Sprintf("%d devices are registered (%d over UDP, %d over TCP) after %d s. Ctrl-C ends them.",
			up, status.Registered[swarm.UDP], status.Registered[swarm.TCP], int(since.Seconds()))
	}
	line := fmt.Sprintf("%d of %d devices are registered", up, status.Devices)
	if tried {
		line += " although all had time to join"
	}
	if status.Trouble != "" {
		line += "; latest trouble: " + status.Trouble
	}
	return line
}
