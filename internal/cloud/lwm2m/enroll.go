package lwm2m

import (
	"context"
	"encoding/binary"
	"regexp"
	"slices"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// The enrollment of the original client (its security mode 4): it makes a key,
// and posts a certificate request on the bootstrap connection once that is
// finished. It is RFC 9148 in spirit, not in form.

// originalVersion is how the original client names its versions. mbl-device,
// which behaves like it otherwise, does not enroll.
var originalVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.`)

// enrolls tells by its request whether a client can enroll.
func (q query) enrolls() bool { return originalVersion.MatchString(q["mccv"]) }

func isEnrollment(path []string) bool { return slices.Equal(path, []string{"est", "sen"}) }

// farewell is how long a client that has its certificate may take to leave.
const farewell = 10 * time.Second

// finishForEnrollment ends the writing and tells the client its device id. The
// grant comes into force when the client has enrolled.
func (b *bootstrapping) finishForEnrollment(ctx context.Context, grant *cloud.BootstrapGrant) error {
	finish := &coap.Request{
		Code: coap.POST, Path: []string{"bs"}, Query: []string{"iep=" + grant.DeviceID},
		Confirm: func(answer *coap.Response) error {
			if answer.Code == coap.Changed {
				b.enrolling.Store(grant)
			}
			return nil
		},
	}
	return b.expect(ctx, finish, coap.Changed)
}

// enroll answers a client's certificate request.
func (b *bootstrapping) enroll(ctx context.Context, req *coap.Request) *coap.Response {
	if req.Code != coap.POST {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	grant := b.enrolling.Swap(nil)
	if grant == nil {
		return &coap.Response{Code: coap.Forbidden}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	certificate, err := b.svc.Enroll(ctx, grant, req.Payload)
	if err != nil {
		b.enrolling.Store(grant) // it may try again
		b.logRefusal(err)
		return &coap.Response{Code: codeOf(err)}
	}
	b.log.Info("enrolled", "device", grant.DeviceID)
	return &coap.Response{Code: coap.Content, Payload: certificateList(certificate), Then: b.seeOffEnrolled}
}

// seeOffEnrolled leaves time for the client to fetch the rest of a long answer.
func (b *bootstrapping) seeOffEnrolled(ctx context.Context) { b.seeOff(ctx, farewell) }

// certificateList is how the client takes certificates: version, count, and
// each with its length before it.
func certificateList(certificates ...[]byte) []byte {
	list := []byte{1, byte(len(certificates))}
	for _, der := range certificates {
		list = binary.BigEndian.AppendUint16(list, uint16(len(der)))
		list = append(list, der...)
	}
	return list
}

// leave throws a grant away whose client went without enrolling.
func (b *bootstrapping) leave(ctx context.Context) {
	if grant := b.enrolling.Swap(nil); grant != nil {
		b.svc.BootstrapAborted(ctx, grant, "the client did not enroll")
	}
}
