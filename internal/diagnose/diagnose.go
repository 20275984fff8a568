package diagnose

import (
	"context"
	"io"
	"net/url"
	"time"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/ssh"
)

// Service is what the service is asked.
type Service interface {
	BaseURL() string
	CurrentAccount(ctx context.Context) (*cloudapi.Account, error)
	ServerCredentials(ctx context.Context, server string) (*cloudapi.ServerCredentials, error)
}

// Device is the connection to a device.
type Device interface {
	Run(ctx context.Context, cmd ssh.Command) (exit int, err error)
	Target() ssh.Target
	io.Closer
}

var (
	_ Service = (*cloudapi.Client)(nil)
	_ Device  = (*ssh.Client)(nil)
)

// Checkup is what a diagnosis works with. No field may be nil.
type Checkup struct {
	Stores  func() (*credstore.Stores, error)
	Service func(ctx context.Context) (Service, error) // fails without an API key
	Search  func(ctx context.Context) (int, error)     // how many devices answer mDNS
	Connect func(ctx context.Context) (Device, error)  // fails with ErrNoDevice if none is chosen
	Lookup  func(ctx context.Context, host string) error
	Now     func() time.Time
}

// Run walks the whole chain and returns its links in order. Every step has a
// time limit; the whole ends at once when ctx does.
func (c *Checkup) Run(ctx context.Context) []Check {
	found := make(chan Check, 1)
	go func() { found <- c.checkDiscovery(ctx) }()
	checks := c.checkStores()
	ofService, bootstrap := c.checkService(ctx)
	ofDevice, local := c.checkDevice(ctx, bootstrap)
	if !local {
		ofService = refuseLoopback(ofService, bootstrap, ofDevice)
	}
	checks = append(checks, ofService...)
	checks = append(checks, <-found)
	return append(checks, ofDevice...)
}

// searchTime is how long devices have to answer.
const searchTime = 3 * time.Second

func (c *Checkup) checkDiscovery(ctx context.Context) Check {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	count, err := c.Search(ctx)
	switch {
	case err != nil:
		return failure(Discovery, err)
	case count == 0:
		return doubtful(Discovery, "--address names a device that does not announce itself", "no device answers on the networks of this machine")
	default:
		return fine(Discovery, "devices that answer: %d", count)
	}
}

// host is the host of a server's URI, empty if it has none.
func host(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}
