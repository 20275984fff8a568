package lwm2m

import (
	"context"
	"fmt"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// recordLimit bounds the recording of a bootstrap's end, which must happen
// even when the connection is gone.
const recordLimit = 30 * time.Second

// securityInstance is the id of the management server's account on the
// device; the bootstrap server's own is 1.
const securityInstance = 0

// grant writes the credentials, and closes the connection when the client has
// them: some wait for the close before they go on. After a failure the client
// decides; a close could make it believe that all is well.
func (b *bootstrapping) grant(ctx context.Context, grant *cloud.BootstrapGrant) {
	log := b.log.With("device", grant.DeviceID)
	if err := b.write(ctx, grant); err != nil {
		log.Warn("bootstrap failed", "reason", err)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
		defer cancel()
		if err := b.svc.BootstrapAborted(ctx, grant, err.Error()); err != nil {
			log.Error("cannot record a failed bootstrap", "error", err)
		}
		return
	}
	log.Info("bootstrapped")
	if err := b.session.Close(); err != nil {
		log.Debug("cannot close", "error", err)
	}
}

// write is the sequence of LwM2M 1.0 §5.2.7, as the original clients need it.
// Without the DELETE they refuse the account at any bootstrap but the first;
// the account goes to them in one object instance, complete; nothing else is
// written, as some refuse the Server object.
func (b *bootstrapping) write(ctx context.Context, grant *cloud.BootstrapGrant) error {
	account, err := lwm2m.EncodeTLV(accountOf(grant).TLV(securityInstance))
	if err != nil {
		return err
	}
	clear := &coap.Request{Code: coap.DELETE, Path: []string{"0"}}
	if err := b.expect(ctx, clear, coap.Deleted); err != nil {
		return err
	}
	put := &coap.Request{Code: coap.PUT, Path: []string{"0"}, ContentFormat: new(lwm2m.FormatTLV), Payload: account}
	if err := b.expect(ctx, put, coap.Changed); err != nil {
		return err
	}
	finish := &coap.Request{Code: coap.POST, Path: []string{"bs"}, Confirm: func(answer *coap.Response) error {
		return b.finished(ctx, grant, answer)
	}}
	return b.expect(ctx, finish, coap.Changed)
}

func accountOf(grant *cloud.BootstrapGrant) *lwm2m.Security {
	return &lwm2m.Security{
		ServerURI:         grant.ServerURI,
		Mode:              lwm2m.SecurityModeCertificate,
		ClientCertificate: grant.DeviceCertificate,
		ServerCA:          grant.ServerCA,
		PrivateKey:        grant.PrivateKey,
		ShortServerID:     grant.ShortServerID,
	}
}

// finished puts the grant in force before the client learns, by the
// acknowledgement of its answer, that it may connect with it.
func (b *bootstrapping) finished(ctx context.Context, grant *cloud.BootstrapGrant, answer *coap.Response) error {
	if answer.Code != coap.Changed {
		return nil // a refusal, dealt with by the caller
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	return b.svc.BootstrapFinished(ctx, grant)
}

// expect sends a request and makes an error of every other answer.
func (b *bootstrapping) expect(ctx context.Context, req *coap.Request, code coap.Code) error {
	answer, err := b.session.Do(ctx, req)
	if err != nil {
		return err
	}
	if answer.Code != code {
		return fmt.Errorf("device answered %s to %s /%s", answer.Code, req.Code, req.Path[0])
	}
	return nil
}
