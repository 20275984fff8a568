//go:build openssl

package swarm

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
)

const (
	devices = 1000
	// readAtOnce is how many devices are asked at the same time.
	readAtOnce = 64
	// readLimit is when a question counts as lost and is asked again.
	readLimit = 5 * time.Second
	// comeBack is how long all devices have to answer after the service came
	// back. The goal is a minute; machines are shared.
	comeBack = 3 * stage.Patience
)

func TestAKilledServiceGetsAThousandDevicesBack(t *testing.T) {
	world := stagetest.Start(t)
	swarm, err := world.StartSwarm(stagetest.Program(t, "mbl-sandbox"), world.Key, devices, stage.Options{Dir: world.Dir}, "--transport", "mixed")
	stagetest.Check(t, err)
	t.Cleanup(func() { swarm.Stop() })
	channel := world.Channel
	ids, err := channel.DeviceIDs(t.Context())
	stagetest.Check(t, err)
	if len(ids) != devices {
		t.Fatalf("%d devices are registered", len(ids))
	}
	stagetest.Check(t, readAll(t.Context(), channel, ids))

	world.Kill()
	world.Again(t)
	begin := time.Now()
	stagetest.Check(t, readAll(t.Context(), channel, ids))
	t.Logf("all %d answered a read %v after the service was back", devices, time.Since(begin).Round(time.Second))

	again, err := channel.DeviceIDs(t.Context())
	stagetest.Check(t, err)
	slices.Sort(ids)
	slices.Sort(again)
	if !slices.Equal(ids, again) {
		t.Errorf("there are other devices than before: %d, were %d", len(again), len(ids))
	}
	if n := bootstraps(t, channel); n != devices {
		t.Errorf("%d devices bootstrapped %d times", devices, n)
	}
	if code := swarm.Stop(); code != 0 {
		t.Errorf("the swarm ended with %d: %s", code, swarm.Output())
	}
}

// readAll reads every device's serial number, as often as it takes; all must
// answer, each with its own.
func readAll(ctx context.Context, channel *stage.Channel, ids []string) error {
	ctx, cancel := context.WithTimeout(ctx, comeBack)
	defer cancel()
	serials := make([]string, len(ids))
	var group errgroup.Group
	group.SetLimit(readAtOnce)
	for i, id := range ids {
		group.Go(func() (err error) {
			serials[i], err = readSerial(ctx, channel, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.Sort(serials)
	if distinct := len(slices.Compact(serials)); distinct != len(ids) {
		return fmt.Errorf("%d devices have %d serial numbers", len(ids), distinct)
	}
	return nil
}

func readSerial(ctx context.Context, channel *stage.Channel, id string) (string, error) {
	for {
		attempt, cancel := context.WithTimeout(ctx, readLimit)
		value, err := channel.Read(attempt, id, "/3/0/2")
		cancel()
		if err == nil || ctx.Err() != nil {
			return string(value), err
		}
	}
}
