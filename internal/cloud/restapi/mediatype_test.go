package restapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mbl/internal/coap"
)

// asked sends a request to a device's /1/0/1 and returns what arrives there.
func (w *world) asked(deviceID, method, header, mediaType string) *coap.Request {
	w.t.Helper()
	arrived := make(chan *coap.Request, 1)
	var handler coap.Handler = func(_ context.Context, request *coap.Request) *coap.Response {
		arrived <- request
		return &coap.Response{Code: coap.Changed}
	}
	w.device.Store(&handler)
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/v2/endpoints/"+deviceID+"/1/0/1", strings.NewReader("60"))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.admin)
	request.Header.Set(header, mediaType)
	w.must(202, w.send(request))
	return <-arrived
}

func formatOf(format *uint16) string {
	if format == nil {
		return "none"
	}
	return fmt.Sprint(*format)
}

// The published media types, those from before LwM2M 1.0 among them, are
// translated to what devices understand. Those that HTTP clients send by
// themselves are nobody's wish.
func TestMediaTypesAreTranslatedForDevices(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	for mediaType, wanted := range map[string]string{
		"text/plain": "0", "text/plain; charset=utf-8": "0", "TEXT/plain": "0", "application/vnd.oma.lwm2m+text": "0",
		"application/link-format": "40", "application/xml": "41", "application/exi": "47", "application/senml+json": "110",
		"application/octet-stream": "42", "application/vnd.oma.lwm2m+opaq": "42",
		"application/nanoservice-tlv": "99", "application/vnd.oma.lwm2m+tlv": "11542", "application/vnd.oma.lwm2m+json": "11543",
		"application/json": "none", "application/x-www-form-urlencoded": "none",
	} {
		if got := formatOf(w.asked(device.DeviceID, "PUT", "Content-Type", mediaType).ContentFormat); got != wanted {
			t.Errorf("a body of %s arrives as %s", mediaType, got)
		}
	}
	for mediaType, wanted := range map[string]string{
		"application/nanoservice-tlv": "99", "application/vnd.oma.lwm2m+opaq": "42", "text/plain": "0",
		"application/json": "none", "*/*": "none", "text/html, */*;q=0.1": "none",
	} {
		if got := formatOf(w.asked(device.DeviceID, "POST", "Accept", mediaType).Accept); got != wanted {
			t.Errorf("%s is asked for as %s", mediaType, got)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), "PUT", w.url+"/v2/endpoints/"+device.DeviceID+"/1/0/1", strings.NewReader("60"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.admin)
	request.Header.Set("Content-Type", "image/png")
	if got := w.must(415, w.send(request)); got.text != "UNSUPPORTED_MEDIA_TYPE" {
		t.Errorf("an unknown media type is answered %q", got.text)
	}
}
