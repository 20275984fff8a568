package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mbl/e2e/stage"
)

const (
	// The numbers of devices that are held against each other.
	handful, thousand, tenThousand = 100, 1000, 10_000

	// settling is how long a service is left alone before its memory is looked
	// at: the garbage collector comes round every two minutes.
	settling = 150 * time.Second
	// idleKeepAlive is mbl-device's own: a device that is connected and has
	// nothing to say.
	idleKeepAlive = 25 * time.Second

	askedAtOnce = 64
	asked       = 800 // in a round
	askedRounds = 5
	memoryGoal  = 30 // KiB of an idle device
)

// swarming measures a service with the devices of mbl-sandbox swarm, of one
// transport: its memory and how it answers as they become more.
type swarming struct {
	transport string
	service   *stage.Service
	key       string
	channel   *stage.Channel
	dir       string
	swarms    []*stage.Swarm
}

// growthOver measures with devices of one transport.
func growthOver(transport string) func(context.Context, string) ([]result, error) {
	return func(ctx context.Context, dir string) ([]result, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := startSwarming(ctx, dir, transport)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		return s.growth(ctx)
	}
}

func (s *swarming) growth(ctx context.Context) ([]result, error) {
	few, err := s.growTo(ctx, handful)
	if err != nil {
		return nil, err
	}
	some, err := s.growTo(ctx, thousand)
	if err != nil {
		return nil, err
	}
	many, err := s.growTo(ctx, tenThousand)
	if err != nil {
		return nil, err
	}
	transport := strings.ToUpper(s.transport)
	return []result{
		s.memoryRow(few, some),
		s.memoryRow(few, many),
		s.rateRow("reads of devices over "+transport, "reads/s", few.reads, many.reads),
		s.rateRow("REST requests, devices over "+transport, "requests/s", few.requests, many.requests),
	}, nil
}

func startSwarming(ctx context.Context, dir, transport string) (*swarming, error) {
	service, err := stage.StartService(program("mbl-cloud"), filepath.Join(dir, "data"), stage.Options{Dir: dir},
		append(stage.ServiceFlags(), "--devices-per-certificate", "0")...)
	if err != nil {
		return nil, err
	}
	s := &swarming{transport: transport, service: service, dir: dir}
	if s.key, err = service.NewKey("bench", "administrators"); err != nil {
		s.stop()
		return nil, err
	}
	s.channel = service.OpenChannel(ctx, s.key)
	return s, nil
}

func (s *swarming) stop() {
	for _, swarm := range s.swarms {
		swarm.Kill() // nobody needs its farewell
	}
	s.service.Kill()
}

// grown is what a service is like with so many devices.
type grown struct {
	devices         int
	memory          int // KiB resident
	reads, requests []pace
}

// pace is what was done in a second, and how many bare requests at that time.
type pace struct{ done, bare float64 }

// typical is the median of what was done in a second, and of what it was for
// each bare request.
func typical(paces []pace) (done, relative float64) {
	var all, relatives []float64
	for _, p := range paces {
		all, relatives = append(all, p.done), append(relatives, p.done/p.bare)
	}
	return median(all), median(relatives)
}

// growTo adds devices until there are so many, measures how requests are
// answered, lets all be for a while, and looks at the memory: so what requests
// have left in it counts with few devices as well as with many.
func (s *swarming) growTo(ctx context.Context, devices int) (grown, error) {
	present := 0
	for _, swarm := range s.swarms {
		present += swarm.Devices
	}
	dir := filepath.Join(s.dir, strconv.Itoa(devices))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return grown{}, err
	}
	swarm, err := s.service.StartSwarm(program("mbl-sandbox"), s.key, devices-present, stage.Options{Dir: dir},
		"--transport", s.transport, "--devices-per-certificate", "0", "--keep-alive", idleKeepAlive.String())
	if err != nil {
		return grown{}, err
	}
	s.swarms = append(s.swarms, swarm)
	g := grown{devices: devices}
	ids, err := s.channel.DeviceIDs(ctx)
	if err != nil {
		return grown{}, err
	}
	if len(ids) != devices {
		return grown{}, fmt.Errorf("%d of %d devices are registered", len(ids), devices)
	}
	if err := s.measureRates(ctx, ids, &g); err != nil {
		return grown{}, err
	}
	select {
	case <-time.After(settling):
	case <-ctx.Done():
		return grown{}, ctx.Err()
	}
	g.memory, err = residentOf(s.service.Process.PID())
	return g, err
}

// measureRates asks in turns for what is measured and for the least that the
// service can be asked for, since minutes lie between few devices and many, and
// the machine has other things to do.
func (s *swarming) measureRates(ctx context.Context, ids []string, g *grown) error {
	var next atomic.Uint64
	read := func(ctx context.Context) error {
		_, err := s.channel.Read(ctx, ids[next.Add(1)%uint64(len(ids))], "/3/0/2")
		return err
	}
	get := func(path string) func(context.Context) error {
		return func(ctx context.Context) error { return s.channel.Get(ctx, path, &struct{}{}) }
	}
	for round := range askedRounds + 1 {
		var rates [3]float64
		for i, ask := range []func(context.Context) error{get("/healthz"), read, get("/v3/devices?limit=50")} {
			var err error
			if rates[i], err = rate(ctx, asked, askedAtOnce, ask); err != nil {
				return err
			}
		}
		if round > 0 { // the first warms caches
			g.reads = append(g.reads, pace{rates[1], rates[0]})
			g.requests = append(g.requests, pace{rates[2], rates[0]})
		}
	}
	return nil
}

// memoryRow is what each device more has added to the service's memory.
func (s *swarming) memoryRow(few, many grown) result {
	each := float64(many.memory-few.memory) / float64(many.devices-few.devices)
	return result{
		what:  fmt.Sprintf("memory of an idle device over %s, of %d", strings.ToUpper(s.transport), many.devices),
		ours:  fmt.Sprintf("%.1f KiB", each),
		bare:  fmt.Sprintf("%d KiB allowed", memoryGoal),
		ratio: each / memoryGoal,
		goal:  atMost(1),
		how: fmt.Sprintf("resident memory of the service (%d KiB with %d devices, %d KiB with %d) %v after the last request; ratio is to what is allowed",
			few.memory, few.devices, many.memory, many.devices, settling),
	}
}

// rateRow holds a service with many devices against itself with few.
func (s *swarming) rateRow(what, unit string, few, many []pace) result {
	fewDone, fewRelative := typical(few)
	manyDone, manyRelative := typical(many)
	return result{
		what:  what,
		ours:  fmt.Sprintf("%.0f %s of %d", manyDone, unit, tenThousand),
		bare:  fmt.Sprintf("%.0f %s of %d", fewDone, unit, handful),
		ratio: manyRelative / fewRelative,
		goal:  atLeast(0.8),
		how: fmt.Sprintf("medians of %d rounds of %d, %d at once; ratio is of each to requests of /healthz in turns with them; devices and service share the machine",
			askedRounds, asked, askedAtOnce),
	}
}
