package cloud_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

const (
	keyIdentity = "gateway-00000001"
	keySecret   = "4A4b4c4d4e4f50515253545556575859"
)

func (h *house) addKey(endpointName, secret string) {
	h.t.Helper()
	if err := h.AddSharedKey(h.ctx, h.who, endpointName, secret); err != nil {
		h.t.Fatal(err)
	}
}

// keyRequest is what a device with a pre-shared key asks.
func (h *house) keyRequest(identity, deviceID string) cloud.BootstrapRequest {
	return cloud.BootstrapRequest{SharedKey: identity, EndpointName: identity, DeviceID: deviceID, RemoteAddr: "192.0.2.1:1"}
}

// keyDevice bootstraps by a pre-shared key to the end.
func (h *house) keyDevice(identity string) cloud.Identity {
	h.t.Helper()
	grant, err := h.Bootstrap(h.ctx, h.keyRequest(identity, ""))
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.BootstrapFinished(h.ctx, grant); err != nil {
		h.t.Fatal(err)
	}
	device, err := h.RecognizeDevice(h.ctx, parse(h.t, grant.DeviceCertificate))
	if err != nil {
		h.t.Fatal(err)
	}
	return device
}

func TestADeviceBootstrapsByAPreSharedKey(t *testing.T) {
	h := newHouse(t)
	h.addKey(keyIdentity, "0x"+keySecret)
	secret, err := h.BootstrapKey(h.ctx, keyIdentity)
	if err != nil || hex.EncodeToString(secret) != strings.ToLower(keySecret) {
		t.Fatalf("the key is %x, %v", secret, err)
	}
	device := h.keyDevice(keyIdentity)
	entry := h.entry(device.DeviceID)
	if entry.EndpointName != keyIdentity || entry.ExecutionMode != cloud.FactoryMode || entry.CertificateID != "" ||
		entry.IssuerFingerprint != "" || !entry.BootstrapExpiresAt.IsZero() || entry.ConnectorExpiresAt.IsZero() {
		t.Errorf("the entry is %+v", entry)
	}
	if again := h.keyDevice(keyIdentity); again != device || h.countDevices() != 1 {
		t.Errorf("it came back as %v beside %v", again, device)
	}
	h.addKey("gateway-00000002", keySecret)
	if other := h.keyDevice("gateway-00000002"); other.DeviceID == device.DeviceID {
		t.Error("two keys are one device")
	}
}

func TestAPreSharedKeyIsOfOneEndpoint(t *testing.T) {
	h := newHouse(t)
	h.addKey(keyIdentity, keySecret)
	request := h.keyRequest(keyIdentity, "")
	request.EndpointName = "gateway-00000002"
	_, err := h.Bootstrap(h.ctx, request)
	wantError(t, "another endpoint name", err, cloud.ErrInvalid)
	request = h.keyRequest(keyIdentity, "")
	request.AccountID = "another"
	_, err = h.Bootstrap(h.ctx, request)
	wantError(t, "another account", err, cloud.ErrInvalid)
	_, certificate := h.certificate("a")
	developed, _ := h.device(certificate, "")
	_, err = h.Bootstrap(h.ctx, h.keyRequest(keyIdentity, developed.DeviceID))
	wantError(t, "another's device", err, cloud.ErrForbidden)
	keyed := h.keyDevice(keyIdentity)
	_, err = h.Bootstrap(h.ctx, h.request(certificate, keyed.DeviceID))
	wantError(t, "its device, by a certificate", err, cloud.ErrForbidden)
}

func TestADeletedPreSharedKeyBlocksBootstrapsAndNothingElse(t *testing.T) {
	h := newHouse(t)
	h.addKey(keyIdentity, keySecret)
	device := h.keyDevice(keyIdentity)
	halfWay, err := h.Bootstrap(h.ctx, h.keyRequest(keyIdentity, ""))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // deleting what is not there is fine
		if err := h.DeleteSharedKey(h.ctx, h.who, keyIdentity); err != nil {
			t.Fatal(err)
		}
	}
	_, err = h.BootstrapKey(h.ctx, keyIdentity)
	wantError(t, "the key", err, cloud.ErrUnauthorized)
	_, err = h.Bootstrap(h.ctx, h.keyRequest(keyIdentity, ""))
	wantError(t, "a bootstrap", err, cloud.ErrUnauthorized)
	wantError(t, "one half way", h.BootstrapFinished(h.ctx, halfWay), cloud.ErrNotFound)
	h.addKey(keyIdentity, strings.Repeat("ab", 32))
	wantError(t, "one half way, by the key before", h.BootstrapFinished(h.ctx, halfWay), cloud.ErrNotFound)
	if again := h.keyDevice(keyIdentity); again != device {
		t.Errorf("with a new key it is %v", again)
	}
}

func TestPreSharedKeysAreChecked(t *testing.T) {
	h := newHouse(t)
	for _, test := range []struct{ name, secret, fields string }{
		{strings.Repeat("x", 15), keySecret, "endpoint_name"},
		{strings.Repeat("x", 65), keySecret, "endpoint_name"},
		{"gateway-0000000\u00e9", keySecret, "endpoint_name"},
		{"gateway-0000000\n", keySecret, "endpoint_name"},
		{keyIdentity, keySecret[2:], "secret_hex"},
		{keyIdentity, keySecret + "0", "secret_hex"},
		{keyIdentity, strings.Repeat("ab", 33), "secret_hex"},
		{keyIdentity, "0y" + keySecret, "secret_hex"},
		{"", "", "endpoint_name secret_hex"},
	} {
		err := h.AddSharedKey(h.ctx, h.who, test.name, test.secret)
		var refusal *cloud.Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, cloud.ErrInvalid) {
			t.Errorf("%q %q: %v", test.name, test.secret, err)
			continue
		}
		var fields []string
		for _, field := range refusal.Fields {
			fields = append(fields, field.Name)
		}
		if strings.Join(fields, " ") != test.fields {
			t.Errorf("%q %q: %v", test.name, test.secret, fields)
		}
	}
	h.addKey(strings.Repeat("x", 64), strings.Repeat("ab", 32))
	wantError(t, "twice", h.AddSharedKey(h.ctx, h.who, strings.Repeat("x", 64), keySecret), cloud.ErrConflict)
}

func TestAPreSharedKeyIsSealedAtRest(t *testing.T) {
	h := newHouse(t)
	h.addKey(keyIdentity, keySecret)
	key, err := h.SharedKey(h.ctx, h.who, keyIdentity)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(keySecret)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(key.SealedSecret, secret) || bytes.Contains(key.SealedSecret, []byte(keySecret)) {
		t.Error("the store has the secret")
	}
	_, err = h.SharedKey(h.ctx, cloud.Principal{AccountID: "other"}, keyIdentity)
	wantError(t, "another account's", err, cloud.ErrNotFound)
	if err := h.DeleteSharedKey(h.ctx, cloud.Principal{AccountID: "other"}, keyIdentity); err != nil {
		t.Error(err)
	}
	if _, err := h.BootstrapKey(h.ctx, keyIdentity); err != nil {
		t.Errorf("another account deleted it: %v", err)
	}
}

func TestTheHandshakeKnowsNoOtherIdentities(t *testing.T) {
	h := newHouse(t)
	h.addKey(keyIdentity, keySecret)
	for _, identity := range []string{"", "gateway-00000002", strings.Repeat("x", 5000), keyIdentity + "\x00"} {
		_, err := h.BootstrapKey(h.ctx, identity)
		wantError(t, identity, err, cloud.ErrUnauthorized)
	}
}

func TestAReplacedPreSharedKeyIsNotForWhoeverProvedTheOldOne(t *testing.T) {
	h := newHouse(t)
	h.addKey(keyIdentity, keySecret)
	h.wait(time.Second)
	old := h.keyRequest(keyIdentity, "")
	old.Since = h.now()
	if _, err := h.Bootstrap(h.ctx, old); err != nil {
		t.Fatalf("while it counts: %v", err)
	}
	h.wait(time.Second)
	if err := h.DeleteSharedKey(h.ctx, h.who, keyIdentity); err != nil {
		t.Fatal(err)
	}
	h.addKey(keyIdentity, strings.Repeat("ab", 32))
	_, err := h.Bootstrap(h.ctx, old)
	wantError(t, "on the connection of before", err, cloud.ErrUnauthorized)
	h.wait(time.Second)
	fresh := h.keyRequest(keyIdentity, "")
	fresh.Since = h.now()
	if _, err := h.Bootstrap(h.ctx, fresh); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
}
