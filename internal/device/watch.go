package device

import (
	"bytes"
	"context"
	"errors"
	"time"

	"mbl/internal/keystore"
)

// pollInterval is how soon new credentials are noticed. Looking means reading
// one small file.
const pollInterval = time.Second

// errReprovisioned is why work with the present credentials ends.
var errReprovisioned = errors.New("the device was provisioned anew")

// awaitCredentials waits until there are credentials to bootstrap with and
// returns their mark. It says once why it waits. The error is ctx's.
func (a *agent) awaitCredentials(ctx context.Context) (mark []byte, err error) {
	said := ""
	for {
		a.expect(pollInterval)
		mark, reason := a.credentials()
		if reason == "" {
			return mark, nil
		}
		if reason != said {
			a.Log.Info("waiting for credentials", "reason", reason)
			said = reason
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// credentials returns the mark of usable credentials, or why there are none.
// The mark is read first: if it changes afterwards, watch notices.
func (a *agent) credentials() (mark []byte, reason string) {
	mark, err := a.Store.Get(itemProvisioning)
	if errors.Is(err, keystore.ErrNotFound) {
		return nil, "the device is not provisioned"
	}
	if err != nil {
		return nil, err.Error()
	}
	if _, err := loadAccount(a.Store, bootstrapAccount()); err != nil {
		return nil, err.Error()
	}
	return mark, ""
}

// watch ends ctx when the credentials with the mark are replaced.
func (a *agent) watch(ctx context.Context, mark []byte, end context.CancelCauseFunc) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		present, err := a.Store.Get(itemProvisioning)
		if err == nil && !bytes.Equal(present, mark) || errors.Is(err, keystore.ErrNotFound) {
			a.Log.Info("new credentials")
			end(errReprovisioned)
			return
		}
	}
}
