package diagnose

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"mbl/internal/cloudapi"
)

// serviceTime bounds one question to the service or to a name server.
const serviceTime = 15 * time.Second

// checkService asks the service, and returns the bootstrap server's URI too:
// empty if it could not be learnt.
func (c *Checkup) checkService(ctx context.Context) (checks []Check, bootstrap string) {
	service, err := c.Service(ctx)
	if err != nil {
		return append([]Check{failure(APIKey, err)},
			untried("needs an API key", ServiceAnswers, Account, BootstrapAddress, LwM2MAddress)...), ""
	}
	checks = []Check{fine(APIKey, "there is one for %s", service.BaseURL())}
	account, err := service.CurrentAccount(ctx)
	if err != nil {
		return append(checks, refusedBy(err)...), ""
	}
	checks = append(checks, fine(ServiceAnswers, "%s answers", service.BaseURL()), checkAccount(account))
	first, bootstrap := c.checkAddress(ctx, service, BootstrapAddress, cloudapi.ServerBootstrap)
	second, _ := c.checkAddress(ctx, service, LwM2MAddress, cloudapi.ServerLwM2M)
	return append(checks, first, second), bootstrap
}

// refusedBy: a service that refuses the key is there all the same.
func refusedBy(err error) []Check {
	const reason = "the service has to answer first"
	if errors.Is(err, cloudapi.ErrUnauthorized) && !errors.Is(err, cloudapi.ErrNotService) {
		return append([]Check{fine(ServiceAnswers, "it answers"), failure(Account, err)}, untried(reason, BootstrapAddress, LwM2MAddress)...)
	}
	return append([]Check{failure(ServiceAnswers, err)}, untried(reason, Account, BootstrapAddress, LwM2MAddress)...)
}

func checkAccount(account *cloudapi.Account) Check {
	if account.Status != "" && account.Status != "ACTIVE" {
		return doubtful(Account, "ask whoever runs the service", "the account %s is %s", account.ID, account.Status)
	}
	return fine(Account, "the key belongs to the account %s", account.ID)
}

func (c *Checkup) checkAddress(ctx context.Context, service Service, name, server string) (check Check, uri string) {
	credentials, err := service.ServerCredentials(ctx, server)
	if err != nil {
		return failure(name, err), ""
	}
	where := host(credentials.URI)
	if where == "" {
		return broken(name, "ask whoever runs the service", "%q names no host", credentials.URI), ""
	}
	ctx, cancel := context.WithTimeout(ctx, serviceTime)
	defer cancel()
	if err := c.Lookup(ctx, where); err != nil {
		return doubtful(name, "ask whoever runs the service which name devices find it by", "%s is not known here: %v", where, err), credentials.URI
	}
	return fine(name, "%s", credentials.URI), credentials.URI
}

// refuseLoopback turns addresses of the device itself into failures: a device
// that is another machine finds no server there.
func refuseLoopback(checks []Check, bootstrap string, ofDevice []Check) []Check {
	if !isLoopback(host(bootstrap)) || len(ofDevice) == 0 || ofDevice[0].Result != OK {
		return checks
	}
	for i, check := range checks {
		if check.Name == BootstrapAddress || check.Name == LwM2MAddress {
			checks[i] = broken(check.Name, "start mbl-cloud with --host and a name or address the device can reach, then make the developer certificate anew",
				"the service sends devices to %s, which on the device is the device itself", host(bootstrap))
		}
	}
	return checks
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
