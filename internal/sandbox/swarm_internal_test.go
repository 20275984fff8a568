package sandbox

import (
	"strings"
	"testing"
	"time"

	"mbl/internal/sandbox/swarm"
	"mbl/internal/usererr"
)

func status(devices, tried, udp, tcp int, trouble string) swarm.Status {
	return swarm.Status{
		Devices: devices, Tried: tried, Trouble: trouble,
		Registered: map[swarm.Transport]int{swarm.UDP: udp, swarm.TCP: tcp},
	}
}

func TestASwarmsProgressIsToldWhenItChanges(t *testing.T) {
	var teller swarmTeller
	for _, step := range []struct {
		after  time.Duration
		status swarm.Status
		want   string // empty: nothing is told
	}{
		{0, status(4, 0, 0, 0, ""), ""},
		{time.Second, status(4, 1, 1, 0, ""), ""}, // too soon
		{3 * time.Second, status(4, 1, 1, 0, ""), "1 of 4 devices are registered"},
		{6 * time.Second, status(4, 1, 1, 0, ""), ""},
		{7 * time.Second, status(4, 4, 2, 1, "no answer"), "although all had time to join; latest trouble: no answer"},
		{8 * time.Second, status(4, 4, 2, 2, "no answer"), "4 devices are registered (2 over UDP, 2 over TCP) after 8 s"},
		{20 * time.Second, status(4, 4, 2, 2, ""), ""},
		{21 * time.Second, status(4, 4, 0, 0, "gone"), "0 of 4 devices are registered; latest trouble: gone"},
		{22 * time.Second, status(4, 4, 2, 2, "gone"), "4 devices are registered"},
	} {
		got := teller.next(step.status, step.after)
		if (got == "") != (step.want == "") || !strings.Contains(got, step.want) {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
	}
}

func TestOnlyDevicesThatHadTimeToJoinCountAsMissing(t *testing.T) {
	for name, last := range map[string]swarm.Status{
		"all there":     status(2, 2, 1, 1, ""),
		"still joining": status(1000, 300, 310, 0, ""),
		"none began":    status(1000, 0, 0, 0, ""),
	} {
		if err := verdict(last); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := verdict(status(10, 8, 5, 0, "refused"))
	if usererr.ExitCode(err) != usererr.ExitSomeFailed || !strings.Contains(err.Error(), "3 of 10") {
		t.Errorf("three missing: %v", err)
	}
}
