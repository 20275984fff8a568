package restapi_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// audit is what was recorded, as "ACTION OBJECT".
func (w *world) audit() []*cloud.AuditRecord {
	w.t.Helper()
	var all []*cloud.AuditRecord
	err := w.service.AuditRecords(w.t.Context(), time.Time{}, func(record *cloud.AuditRecord) error {
		all = append(all, record)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestEveryChangeIsRecordedWithWhoAndWhat(t *testing.T) {
	w := newWorld(t)
	me := w.must(200, w.ask("GET", "/v3/api-keys/me", nil))
	administrators, _ := w.groupIDs()
	before := len(w.audit())

	certificate := w.createCertificate("a")
	device := w.bootstrap(certificate) // what devices do is an event, and no change by a user
	w.register(device)
	entry := w.must(201, w.ask("POST", "/v3/devices", map[string]string{"name": "before"}))
	w.must(200, w.ask("PUT", "/v3/devices/"+device.DeviceID, map[string]string{"name": "new"}))
	group := w.must(201, w.ask("POST", "/v3/device-groups", map[string]string{"name": "g"}))
	w.must(204, w.ask("POST", "/v3/device-groups/"+group.id()+"/devices/add/", map[string]string{"device_id": entry.id()}))
	query := w.must(201, w.ask("POST", "/v3/device-queries", map[string]string{"name": "q", "query": "id=1"}))
	key := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "k"}))
	w.must(200, w.ask("POST", "/v3/api-keys/"+key.id()+"/reset-secret", nil))
	w.must(200, w.ask("POST", "/v3/policy-groups/"+administrators, map[string]any{"apikeys": []string{key.id()}}))
	w.must(200, w.ask("PUT", "/v3/api-keys/me", map[string]string{"name": "renamed"}))
	w.must(200, w.ask("PUT", "/v3/accounts/me", map[string]string{"city": "Town"}))
	w.must(200, w.ask("GET", "/v3/developer-certificates/"+certificate.id(), nil)) // shows a secret
	w.must(204, w.ask("DELETE", "/v3/devices/"+device.DeviceID, nil))
	w.must(204, w.ask("DELETE", "/v3/trusted-certificates/"+certificate.id(), nil))
	// What is refused, and what only reads, changes nothing.
	w.must(400, w.ask("PUT", "/v3/devices/"+entry.id(), map[string]string{"name": strings.Repeat("x", 200)}))
	w.must(404, w.ask("DELETE", "/v3/devices/"+device.DeviceID, nil))
	w.must(200, w.ask("GET", "/v3/devices", nil))

	wanted := []string{
		"POST /v3/developer-certificates " + certificate.id(), "POST /v3/devices " + entry.id(), "PUT /v3/devices/{id} " + device.DeviceID,
		"POST /v3/device-groups " + group.id(), "POST /v3/device-groups/{id}/devices/add " + group.id(), "POST /v3/device-queries " + query.id(),
		"POST /v3/api-keys " + key.id(), "POST /v3/api-keys/{id}/reset-secret " + key.id(), "POST /v3/policy-groups/{id} " + administrators,
		"PUT /v3/api-keys/me " + me.id(), "PUT /v3/accounts/me ", "read developer private key " + certificate.id(),
		"DELETE /v3/devices/{id} " + device.DeviceID, "DELETE /v3/trusted-certificates/{id} " + certificate.id(),
	}
	records := w.audit()[before:]
	var got []string
	for _, record := range records {
		got = append(got, record.Action+" "+record.ObjectID)
		host, _, err := net.SplitHostPort(record.RemoteAddr)
		if record.KeyID != me.id() || record.KeyName == "" || host != "127.0.0.1" || err != nil || time.Since(record.At).Abs() > time.Hour {
			t.Errorf("recorded %+v", record)
		}
	}
	if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("recorded\n%s\ninstead of\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	if everything := fmt.Sprintf("%+v", records); strings.Contains(everything, fmt.Sprint(key.at("key"))[79:]) {
		t.Error("a secret is recorded")
	}
}

func TestChannelsAreRecordedAndSubscriptionsToDevicesAreNot(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	w.register(device, cloud.Link{Path: "/3/0/13", Attributes: map[string]string{"obs": ""}})
	before := len(w.audit())
	w.must(204, w.ask("PUT", "/v2/subscriptions", `[{"endpoint-name":"x*"}]`))
	w.ask("PUT", "/v2/subscriptions/"+device.DeviceID+"/3/0/13", nil)
	records := w.audit()[before:]
	if len(records) != 1 || records[0].Action != "PUT /v2/subscriptions" {
		t.Errorf("recorded %+v", records)
	}
}

func TestAChangeThatCannotBeRecordedIsNotMade(t *testing.T) {
	w := newWorld(t)
	entry := w.must(201, w.ask("POST", "/v3/devices", map[string]string{"name": "old"}))
	ctx := cloud.WithAudit(t.Context(), cloud.Principal{AccountID: "nowhere"}, "", "PUT", entry.id())
	who := cloud.Principal{AccountID: fmt.Sprint(entry.at("account_id"))}
	name := "new"
	if _, err := w.service.UpdateDevice(ctx, who, entry.id(), cloud.DeviceChanges{Name: &name}); err == nil {
		t.Error("the change was accepted")
	}
	if got := w.ask("GET", "/v3/devices/"+entry.id(), nil); got.at("name") != "old" {
		t.Errorf("it is %s", got.text)
	}
}
