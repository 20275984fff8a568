package stage

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Swarm is a running `mbl-sandbox swarm`.
type Swarm struct {
	*Process
	Devices int
}

// joiningRate is how many devices a second join at least, on a machine with
// other things to do.
const joiningRate = 10

// StartSwarm runs a swarm until all its devices are registered.
func (s *Service) StartSwarm(program, key string, devices int, opts Options, flags ...string) (*Swarm, error) {
	opts.Env = append(os.Environ(), "MBED_CLOUD_SDK_API_KEY="+key)
	command := append([]string{program, "swarm", "--api-url", s.HTTP, "--devices", fmt.Sprint(devices)}, flags...)
	process, err := Start("swarm", command, opts)
	if err != nil {
		return nil, err
	}
	swarm := &Swarm{process, devices}
	patience := Patience + time.Duration(devices/joiningRate)*time.Second
	if err := process.within(patience, "all were registered", swarm.AllRegistered); err != nil {
		process.Stop()
		return nil, err
	}
	return swarm, nil
}

// AllRegistered tells whether all devices are registered, as the swarm last
// said.
func (s *Swarm) AllRegistered() bool {
	lines := strings.Split(strings.TrimSpace(s.Output()), "\n")
	return strings.HasPrefix(lines[len(lines)-1], fmt.Sprintf("%d devices are registered", s.Devices))
}
