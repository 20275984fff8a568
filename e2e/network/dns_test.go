//go:build linux

package network

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
	"mbl/internal/credential"
)

// cloudName is a name that only a resolver of ours knows (RFC 6761).
const cloudName = "cloud.example"

// A device whose resolver fails, in whatever way, goes on trying and is online
// soon after it works again, without a restart. Its credentials are as good as
// they were: it never bootstraps for that.
func TestADeviceOutlivesItsResolver(t *testing.T) {
	needRoot(t)
	machine, err := lan.NewIsland()
	check(t, err)
	t.Cleanup(machine.Close)
	names := startResolver(t, machine)
	names.fail(silent)
	cloud := startNamedCloud(t, machine)
	device := startNamedDevice(t, machine, cloud.Developer(t, "names"))

	// It has never been connected.
	says(t, device, "cannot connect to the bootstrap server", 2)
	for _, way := range []int32{serverFailure, noSuchName} {
		names.fail(way)
		says(t, device, "cannot connect to the bootstrap server", 2)
	}
	names.fail(working)
	says(t, device, "msg=registered", 1)
	id := cloud.onlyDevice()

	// It has lost its connection.
	names.fail(serverFailure)
	cloud.Stop()
	cloud.Again(t)
	says(t, device, "cannot connect to the LwM2M server", 2)
	names.fail(silent)
	says(t, device, "cannot connect to the LwM2M server", 2)
	names.fail(working)
	says(t, device, `msg="registration updated"`, 1)
	if now := cloud.onlyDevice(); now != id {
		t.Errorf("it is %s now, was %s", now, id)
	}
	if n := cloud.bootstraps(); n != 1 {
		t.Errorf("it bootstrapped %d times", n)
	}
}

// says waits until a program has said something so many times more.
func says(t *testing.T, program *stage.Process, words string, times int) {
	t.Helper()
	before := strings.Count(program.Output(), words)
	check(t, program.Until(words, func() bool { return strings.Count(program.Output(), words) >= before+times }))
}

// The ways of a resolver.
const (
	working int32 = iota
	silent
	serverFailure
	noSuchName
)

// resolver is a name server that knows one name and can fail.
type resolver struct{ way atomic.Int32 }

func startResolver(t *testing.T, machine *lan.Island) *resolver {
	t.Helper()
	socket, err := machine.ListenPacket("udp", "127.0.0.1:53")
	check(t, err)
	r := &resolver{}
	server := &dns.Server{PacketConn: socket, Handler: r}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return r
}

func (r *resolver) fail(way int32) { r.way.Store(way) }

// ServeDNS implements dns.Handler.
func (r *resolver) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg).SetReply(query)
	question := query.Question[0]
	switch r.way.Load() {
	case silent:
		return
	case serverFailure:
		answer.Rcode = dns.RcodeServerFailure
	case noSuchName:
		answer.Rcode = dns.RcodeNameError
	default:
		if record, err := dns.NewRR(question.Name + " 0 A 127.0.0.1"); err == nil && question.Qtype == dns.TypeA {
			answer.Answer = append(answer.Answer, record)
		}
	}
	_ = w.WriteMsg(answer)
}

// namedCloud is a service whose devices know it by cloudName.
type namedCloud struct {
	*stagetest.World
	t *testing.T
}

func startNamedCloud(t *testing.T, machine *lan.Island) namedCloud {
	t.Helper()
	return namedCloud{stagetest.StartOn(t, stage.Options{Under: machine.On(), Dial: machine.Dial},
		"--http", "127.0.0.1:8080", "--bootstrap", "127.0.0.1:5684", "--lwm2m", "127.0.0.1:5685", "--download", "", "--host", cloudName), t}
}

// onlyDevice is the id of the one device that is registered.
func (c namedCloud) onlyDevice() string {
	c.t.Helper()
	ids, err := c.Channel.DeviceIDs(c.t.Context())
	check(c.t, err)
	if len(ids) != 1 {
		c.t.Fatalf("%d devices are registered", len(ids))
	}
	return ids[0]
}

func (c namedCloud) bootstraps() int {
	c.t.Helper()
	var page struct {
		Total int `json:"total_count"`
	}
	query := url.Values{"include": {"total_count"}, "limit": {"2"}, "event_type__eq": {"bootstrap"}}
	check(c.t, c.Channel.Get(c.t.Context(), "/v3/device-events?"+query.Encode(), &page))
	return page.Total
}

// startNamedDevice provisions a device and runs it with the machine's resolver.
func startNamedDevice(t *testing.T, machine *lan.Island, developer *credential.Developer) *stage.Process {
	t.Helper()
	dir := t.TempDir()
	credentials, state := filepath.Join(dir, "credentials"), filepath.Join(dir, "state")
	check(t, os.Mkdir(credentials, 0o700))
	check(t, stage.WriteCredentials(credentials, developer))
	program := find(t, "mbl-device")
	if out, err := exec.Command(program, "--state", state, "--credentials", credentials, "--provision").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	resolvers := filepath.Join(dir, "resolv.conf")
	check(t, os.WriteFile(resolvers, fmt.Append(nil, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"), 0o644))
	device, err := stage.Start("mbl-device", []string{program, "--state", state, "run", "--retry-base", "200ms", "--keep-alive", "1s"},
		stage.Options{Dir: dir, Under: machine.OnWithResolver(resolvers)})
	check(t, err)
	t.Cleanup(func() {
		device.Stop()
		if t.Failed() {
			t.Logf("the device said:\n%s", device.Output())
		}
	})
	return device
}
