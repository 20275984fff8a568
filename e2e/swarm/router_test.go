//go:build linux

package swarm

import (
	"os"
	"slices"
	"testing"
	"time"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
)

// behindRouter is how many devices there are.
const behindRouter = 20

// Devices behind a router that gets another address, and other ports, are the
// same devices on the same sessions: there is not even a handshake. Where it
// loses datagrams as well there may be one, and no bootstrap.
func TestDevicesBehindARouterStayThemselves(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to make network name spaces")
	}
	home, err := lan.NewHome()
	stagetest.Check(t, err)
	t.Cleanup(home.Close)
	begin := time.Now()
	channel := serveSwarm(t, home)
	ids, err := channel.DeviceIDs(t.Context())
	stagetest.Check(t, err)
	if len(ids) != behindRouter {
		t.Fatalf("%d devices are registered", len(ids))
	}

	before := handshakes(t, channel)
	stagetest.Check(t, home.Move("198.51.100.3"))
	readEach(t, channel, ids)
	t.Logf("all have answered from elsewhere after %v", time.Since(begin).Round(time.Second))
	if after := handshakes(t, channel); after != before {
		t.Errorf("%v handshakes after the move, %v before", after, before)
	}

	stagetest.Check(t, home.Lose(lossPercent))
	stagetest.Check(t, home.Move("198.51.100.4"))
	readEach(t, channel, ids)
	t.Logf("all have answered over a network that loses after %v", time.Since(begin).Round(time.Second))
	stagetest.Check(t, home.Lose(0)) // that they may say goodbye

	again, err := channel.DeviceIDs(t.Context())
	stagetest.Check(t, err)
	if slices.Sort(ids); !slices.Equal(ids, slices.Sorted(slices.Values(again))) {
		t.Errorf("there are other devices than before: %d, were %d", len(again), len(ids))
	}
	if n := bootstraps(t, channel); n != behindRouter {
		t.Errorf("%d devices bootstrapped %d times", behindRouter, n)
	}
}

const lossPercent = 10

// serveSwarm has a service serve the devices of a home.
func serveSwarm(t *testing.T, home *lan.Home) *stage.Channel {
	t.Helper()
	world := stagetest.StartOn(t, stage.Options{Under: home.OnCloud(), Dial: home.Dial},
		"--http", lan.CloudAddress+":0", "--bootstrap", lan.CloudAddress+":0", "--lwm2m", lan.CloudAddress+":0",
		"--download", "127.0.0.1:0", "--host", lan.CloudAddress)
	swarm, err := world.StartSwarm(stagetest.Program(t, "mbl-sandbox"), world.Key, behindRouter,
		stage.Options{Dir: world.Dir, Under: home.OnHome()}, "--insecure-http", "--keep-alive", "2s")
	stagetest.Check(t, err)
	t.Cleanup(func() { swarm.Stop() })
	return world.Channel
}

// handshakes counts those there ever were.
func handshakes(t *testing.T, channel *stage.Channel) float64 {
	t.Helper()
	n, err := channel.Metric(t.Context(), "mbl_handshakes_total")
	stagetest.Check(t, err)
	return n
}
