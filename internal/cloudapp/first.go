package cloudapp

import (
	"context"
	"errors"
	"fmt"

	"mbl/internal/cloud"
)

// firstKeyName is the name of the API key made at first start.
const firstKeyName = "first administrator"

// prepare makes the service ready, and at first start tells how to use it.
func (a *app) prepare(ctx context.Context, data folder, service *cloud.Service, servers *servers) error {
	first, err := service.Prepare(ctx)
	if errors.Is(err, cloud.ErrSealKey) {
		return damagedSealKey(data)
	}
	if err != nil || !first {
		return err
	}
	if a.underSystemd() {
		servers.log.Info("first start: make an API key with " +
			"`mbl-cloud api-key create --data " + data.path + " --name NAME --group administrators`")
		return nil
	}
	key, err := service.IssueAPIKey(ctx, firstKeyName, cloud.Administrators)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.sys.Out, firstStart, key.Reveal(), servers.apiURL())
	return err
}

const firstStart = `The administrator API key, shown only this once:

  %s

Keep it where mbl-cli finds it (it asks for the key):

  mbl-cli --api-url %s save-api-key -

`

// underSystemd tells whether the output goes into the journal, where a key
// would stay for everybody who may read logs.
func (a *app) underSystemd() bool {
	return a.sys.Getenv("INVOCATION_ID") != "" || a.sys.Getenv("JOURNAL_STREAM") != ""
}
