package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	b.decided = false
	write := b.writeStandard
	if b.query.isOriginal() {
		write = b.write
	}
	if err := write(ctx, grant); err != nil {
		log.Warn("bootstrap failed", "reason", err)
		if !b.decided {
			b.svc.BootstrapAborted(ctx, grant, err.Error())
		}
		return
	}
	if grant.Enrollment {
		return // the client asks for its certificate now
	}
	log.Info("bootstrapped")
	b.seeOff(ctx, leaveTime)
}

// leaveTime is how long a client with its credentials may take to leave by
// itself. Original clients were seen to take a close half a second after their
// end, and never one that came together with it.
const leaveTime = 500 * time.Millisecond

// seeOff closes the connection if the client does not.
func (b *bootstrapping) seeOff(ctx context.Context, after time.Duration) {
	select {
	case <-time.After(after):
		if err := b.session.Close(); err != nil {
			b.log.Debug("cannot close", "error", err)
		}
	case <-ctx.Done():
	}
}

// write is the sequence of LwM2M 1.0 §5.2.7, as the original clients need it;
// others get writeStandard. Without the DELETE they refuse the account at any
// bootstrap but the first; the account goes to them in one object instance,
// complete; nothing else is written, as some refuse the Server object.
func (b *bootstrapping) write(ctx context.Context, grant *cloud.BootstrapGrant) error {
	account, err := lwm2m.EncodeTLV(accountOf(grant).TLV(securityInstance))
	if err != nil {
		return err
	}
	if err := b.clearSecurity(ctx); err != nil {
		return err
	}
	put := &coap.Request{Code: coap.PUT, Path: []string{"0"}, ContentFormat: new(lwm2m.FormatTLV), Payload: account}
	if err := b.expect(ctx, put, coap.Changed); err != nil {
		return err
	}
	if grant.Enrollment {
		return b.finishForEnrollment(ctx, grant)
	}
	return b.finish(ctx, grant)
}

// The original client ignores what reaches it before the answer to its own
// request, which may have got lost. It repeats its request after four seconds or
// so; but what it has ignored once it takes for a repetition from then on.
const (
	clearPatience = 5 * time.Second
	clearAttempts = 12
)

// clearSecurity deletes the accounts. Unanswered, it is asked for anew.
func (b *bootstrapping) clearSecurity(ctx context.Context) (err error) {
	for range clearAttempts {
		err = b.expectWithin(ctx, clearPatience, &coap.Request{Code: coap.DELETE, Path: []string{"0"}}, coap.Deleted)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (b *bootstrapping) expectWithin(ctx context.Context, limit time.Duration, req *coap.Request, code coap.Code) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return b.expect(ctx, req, code)
}

// finish ends the writing (LwM2M 1.0 §5.2.7.5).
func (b *bootstrapping) finish(ctx context.Context, grant *cloud.BootstrapGrant) error {
	finish := &coap.Request{Code: coap.POST, Path: []string{"bs"}, Confirm: func(answer *coap.Response) error {
		return b.finished(ctx, grant, answer)
	}}
	return b.expect(ctx, finish, coap.Changed)
}

func accountOf(grant *cloud.BootstrapGrant) *lwm2m.Security {
	mode := lwm2m.SecurityModeCertificate
	if grant.Enrollment {
		mode = lwm2m.SecurityModeESTEnrollment
	}
	return &lwm2m.Security{
		ServerURI:         grant.ServerURI,
		Mode:              mode,
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
	b.decided = true
	return b.svc.BootstrapFinished(ctx, grant)
}

// expect sends a request and makes an error of every other answer.
func (b *bootstrapping) expect(ctx context.Context, req *coap.Request, code coap.Code) error {
	answer, err := b.session.Do(ctx, req)
	if err != nil {
		return err
	}
	if answer.Code != code {
		return &answerError{req, answer.Code}
	}
	return nil
}

// answerError is another answer of a device than the one that was hoped for.
type answerError struct {
	req  *coap.Request
	code coap.Code
}

func (e *answerError) Error() string {
	return fmt.Sprintf("device answered %s to %s /%s", e.code, e.req.Code, strings.Join(e.req.Path, "/"))
}
