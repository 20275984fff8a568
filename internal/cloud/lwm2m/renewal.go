package lwm2m

import (
	"context"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// renewing is what follows a registration or an update: a device whose
// certificate ends soon is asked, once a session, to bootstrap again.
func (d *deviceSession) renewing(identity cloud.Identity) func(context.Context) {
	return func(ctx context.Context) {
		path, err := d.server.svc.RenewalTrigger(ctx, identity, d.conn.PeerCertificate())
		if err != nil {
			d.log().Error("cannot see whether a certificate ends", "device", identity.DeviceID, "error", err)
		}
		if path == nil || !d.asked.CompareAndSwap(false, true) {
			return
		}
		answer, err := d.session.Do(ctx, &coap.Request{Code: coap.POST, Path: path})
		if err != nil {
			d.log().Debug("device not asked to bootstrap", "device", identity.DeviceID, "error", err)
			return
		}
		d.log().Info("device asked to bootstrap before its certificate ends", "device", identity.DeviceID, "code", answer.Code.String())
	}
}
