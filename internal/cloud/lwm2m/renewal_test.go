package lwm2m

import (
	"context"
	"strings"
	"testing"

	"mbl/internal/coap"
)

func TestADeviceWhoseCertificateEndsIsAskedToBootstrapOnce(t *testing.T) {
	service := &fakeService{trigger: []string{"1", "0", "9"}}
	s := newServers(t, service)
	asked := make(chan string, 10)
	d := s.arrive(management, func(_ context.Context, req *coap.Request) *coap.Response {
		asked <- req.Code.String() + " /" + strings.Join(req.Path, "/")
		return &coap.Response{Code: coap.Changed}
	})
	d.connected(s)
	select {
	case got := <-asked:
		if got != "POST /1/0/9" {
			t.Errorf("asked for %s", got)
		}
	case <-s.ctx.Done():
		t.Fatal("it is not asked")
	}
	d.expect(s.ctx, coap.POST, "rd/account/"+deviceID, "", coap.Changed)
	if !s.management.Alive(s.ctx, deviceID) {
		t.Error("it does not answer any more")
	}
	if len(asked) > 0 {
		t.Error("it is asked again")
	}
}
