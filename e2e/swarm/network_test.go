package swarm

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
	"mbl/internal/coap"
	"mbl/internal/device"
	"mbl/internal/keystore"
)

// onBadNetwork is how many devices there are on one.
const onBadNetwork = 8

// A network that loses, repeats, delays and reorders costs time and nothing
// else: every device bootstraps once, registers and answers. When its NAT box
// gives it another address, it is the same device on the same session.
func TestABadNetworkCostsTimeAndNothingElse(t *testing.T) {
	world := stagetest.Start(t)
	channel := world.Channel
	origin := provisioned(t, world)

	var running sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer running.Wait()
	defer stop()
	roads := &roads{t: t, relays: map[string]*relay{}}
	for number := range uint64(onBadNetwork) {
		cfg := device.Config{
			Store: origin.Clone(), Log: slog.New(slog.DiscardHandler),
			RetryBase: time.Second, KeepAlive: 2 * time.Second,
			Dial: func(ctx context.Context, address string, cfg coap.DialConfig) (coap.Conn, error) {
				return coap.Dial(ctx, roads.to(address, number).address(), cfg)
			},
		}
		running.Go(func() { stagetest.Check(t, device.Run(ctx, cfg)) })
	}
	begin := time.Now()
	var ids []string
	stagetest.Check(t, within(comeBackBadly, func() (done bool, err error) {
		ids, err = channel.DeviceIDs(ctx)
		return len(ids) == onBadNetwork, err
	}))
	t.Logf("all are registered after %v", time.Since(begin).Round(time.Second))
	readEach(t, channel, ids)
	t.Logf("all have answered after %v", time.Since(begin).Round(time.Second))

	roads.moveAll()
	readEach(t, channel, ids)
	t.Logf("all have answered from elsewhere after %v", time.Since(begin).Round(time.Second))

	again, err := channel.DeviceIDs(ctx)
	stagetest.Check(t, err)
	if slices.Sort(ids); !slices.Equal(ids, slices.Sorted(slices.Values(again))) {
		t.Errorf("there are other devices than before: %v, were %v", again, ids)
	}
	if n := bootstraps(t, channel); n != onBadNetwork {
		t.Errorf("%d devices bootstrapped %d times", onBadNetwork, n)
	}
}

// askedAgain is when a question counts as lost. A request that the service has
// not given up is behind it in the device's queue.
const askedAgain = 10 * time.Second

// comeBackBadly is how long a bad network may keep its devices.
const comeBackBadly = 3 * stage.Patience

// roads are the relays of all devices, one to each server.
type roads struct {
	t      *testing.T
	mu     sync.Mutex
	relays map[string]*relay
}

func (r *roads) to(server string, number uint64) *relay {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := server + " " + string(rune('a'+number))
	if r.relays[name] == nil {
		r.relays[name] = newRelay(r.t, server, number)
	}
	return r.relays[name]
}

func (r *roads) moveAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.relays {
		one.move(r.t)
	}
}

// readEach reads every device's serial number, as often as it takes.
func readEach(t *testing.T, channel *stage.Channel, ids []string) {
	t.Helper()
	var group errgroup.Group
	for _, id := range ids {
		group.Go(func() error {
			return within(comeBackBadly, func() (bool, error) {
				ctx, cancel := context.WithTimeout(t.Context(), askedAgain)
				defer cancel()
				_, err := channel.Read(ctx, id, "/3/0/2")
				return err == nil, nil //nolint:nilerr // asked again
			})
		})
	}
	stagetest.Check(t, group.Wait())
}

// within tries until it is done or fails, or time is up.
func within(limit time.Duration, try func() (done bool, err error)) error {
	for deadline := time.Now().Add(limit); ; {
		done, err := try()
		switch {
		case err != nil || done:
			return err
		case time.Now().After(deadline):
			return stage.ErrInVain
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// provisioned is a device's storage with a developer certificate.
func provisioned(t *testing.T, world *stagetest.World) *keystore.Memory {
	t.Helper()
	contents := map[string][]byte{}
	for _, variable := range world.Developer(t, "network").Variables() {
		contents[variable.Name] = variable.Data
	}
	store := keystore.NewMemory()
	stagetest.Check(t, device.ProvisionDeveloper(store, contents))
	return store
}

// bootstraps counts the bootstraps there ever were.
func bootstraps(t *testing.T, channel *stage.Channel) int {
	t.Helper()
	var page struct {
		Total int `json:"total_count"`
	}
	query := url.Values{"include": {"total_count"}, "limit": {"2"}, "event_type__eq": {"bootstrap"}}
	stagetest.Check(t, channel.Get(t.Context(), "/v3/device-events?"+query.Encode(), &page))
	return page.Total
}
