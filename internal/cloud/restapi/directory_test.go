package restapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"mbl/internal/cloud"
)

func TestAnEntryIsMadeBeforeItsDeviceComes(t *testing.T) {
	w := newWorld(t)
	body := map[string]any{
		"auto_update": true, "bootstrap_expiration_date": "2030-01-02", "connector_expiration_date": nil, "ca_id": "ca",
		"custom_attributes": map[string]string{"room": "1"}, "deployment": "d", "description": "two\nlines",
		"device_class": "F69292DF-e47d-5fbf-9263-c0a10065062f", "device_execution_mode": 5, "device_key": "AB:CD", "endpoint_name": "ep",
		"endpoint_type": "type", "host_gateway": "gw", "issuer_fingerprint": strings.Repeat("A", 64), "manifest": "http://m",
		"mechanism": "direct", "mechanism_url": "http://u", "name": "first", "serial_number": "s", "state": "cloud_enrolling", "vendor_id": "v",
	}
	made := w.must(201, w.ask("POST", "/v3/devices/", body))
	for field, wanted := range body {
		if field == "custom_attributes" || field == "connector_expiration_date" {
			continue
		}
		switch field {
		case "device_class":
			wanted = "f69292dfe47d5fbf9263c0a10065062f"
		case "issuer_fingerprint":
			wanted = strings.Repeat("a", 64)
		case "device_execution_mode":
			wanted = 5.0
		}
		if made.at(field) != wanted {
			t.Errorf("%s is %v", field, made.at(field))
		}
	}
	if made.at("custom_attributes.room") != "1" || made.at("connector_expiration_date") != nil || made.at("deployed_state") != "production" {
		t.Errorf("it is %s", made.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/devices/"+made.id(), nil)); got.text != made.text {
		t.Errorf("read again it is %s", got.text)
	}
	for _, query := range []string{
		"device_key=AB:CD", "auto_update=true", "auto_update__in=true", "host_gateway__eq=gw", "mechanism__neq=connector", "manifest__in=http://m,x",
		"issuer_fingerprint__eq=" + strings.Repeat("A", 64), "deployed_state=production", "state__in=unenrolled,cloud_enrolling",
		"bootstrap_expiration_date__lte=2030-01-02", "device_class__eq=f69292df-e47d-5fbf-9263-c0a10065062f",
		"filter=created_at__gte%3D20190101T000000Z", "filter=" + url.QueryEscape("created_at="+fmt.Sprint(made.at("created_at"))),
		"custom_attributes__neq=" + url.QueryEscape(`{"room":"2"}`),
	} {
		if got := w.must(200, w.ask("GET", "/v3/devices?"+query, nil)); got.at("total_count") != 1.0 || got.at("data.0.id") != made.id() {
			t.Errorf("%s chooses %v", query, got.at("total_count"))
		}
	}
	checkFailure(t, w.ask("POST", "/v3/devices", map[string]string{"device_key": "AB:CD"}), 409, "409 Conflict")
	if got := w.must(200, w.ask("GET", "/v3/device-events?device_id="+made.id(), nil)); got.at("data.0.event_type") != "creation" {
		t.Errorf("its events are %s", got.text)
	}
	w.must(204, w.ask("DELETE", "/v3/devices/"+made.id()+"/", nil)) // no device has it yet
}

func TestAnEmptyEntryHasItsDefaults(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/devices", map[string]any{}))
	for field, wanted := range map[string]any{
		"state": "unenrolled", "device_execution_mode": 0.0, "mechanism": "connector", "auto_update": false, "name": made.id(),
		"issuer_fingerprint": nil, "bootstrap_expiration_date": nil, "bootstrapped_timestamp": nil, "endpoint_name": "",
	} {
		if made.at(field) != wanted {
			t.Errorf("%s is %v", field, made.at(field))
		}
	}
}

func TestEntriesAreRefusedThatAreNotValid(t *testing.T) {
	w := newWorld(t)
	long := func(length int) string { return strings.Repeat("x", length) }
	for field, value := range map[string]any{
		"name": long(129), "description": long(2001), "endpoint_name": long(65), "endpoint_type": long(65), "serial_number": long(65),
		"device_class": long(33), "vendor_id": long(256), "ca_id": long(501), "device_key": long(513), "state": "asleep",
		"device_execution_mode": 2, "mechanism": "pigeon", "issuer_fingerprint": "xyz", "bootstrap_expiration_date": "tomorrow",
		"connector_expiration_date": "", "auto_update": "yes", "custom_attributes": map[string]string{"1": "x"},
	} {
		got := w.ask("POST", "/v3/devices", map[string]any{field: value})
		checkFailure(t, got, 400, "400 Bad Request")
		if got.at("fields.0.name") != field {
			t.Errorf("%s: blames %v", field, got.at("fields"))
		}
	}
	if got := w.ask("GET", "/v3/devices", nil); got.at("total_count") != 0.0 {
		t.Errorf("refused entries left %s", got.text)
	}
}

func TestACertificateWithItsNumberOfDevicesTakesNoEntry(t *testing.T) {
	w := newWorldWith(t, cloud.Limits{DevicesPerCertificate: 1})
	certificate := w.createCertificate("a")
	w.must(201, w.ask("POST", "/v3/devices", map[string]string{"ca_id": certificate.id()}))
	checkFailure(t, w.ask("POST", "/v3/devices", map[string]string{"ca_id": certificate.id()}), 403, "403 Forbidden")
}

func TestWhatADeviceProvedCannotBeChanged(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	path := "/v3/devices/" + device.DeviceID
	before := w.must(200, w.ask("GET", path, nil))
	// A client sends back what it read, with something changed.
	w.must(200, w.ask("PUT", path, map[string]any{
		"name": "n", "ca_id": before.at("ca_id"), "device_key": before.at("device_key"), "endpoint_name": before.at("endpoint_name"),
		"auto_update": true, "host_gateway": "gw", "endpoint_type": "t", "description": nil, "custom_attributes": nil,
	}))
	checkFailure(t, w.ask("PUT", path, map[string]string{"ca_id": "another"}), 400, "400 Bad Request")
	checkFailure(t, w.ask("PUT", path, map[string]string{"device_key": "another"}), 400, "400 Bad Request")
	entry := w.must(201, w.ask("POST", "/v3/devices", map[string]any{"device_key": "K1"}))
	entryPath := "/v3/devices/" + entry.id()
	if got := w.must(200, w.ask("PUT", entryPath, map[string]string{"ca_id": "c", "device_key": "K2"})); got.at("ca_id") != "c" || got.at("device_key") != "K2" {
		t.Errorf("the entry is %s", got.text)
	}
	checkFailure(t, w.ask("PUT", entryPath, map[string]any{"device_key": before.at("device_key")}), 409, "409 Conflict")
}

func TestOnlyDevicesWithADeveloperCertificateAreDeleted(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	err := w.opened.Update(t.Context(), func(writer cloud.Writer) error {
		entry, err := writer.Device(t.Context(), device.DeviceID)
		if err != nil {
			return err
		}
		entry.ExecutionMode = cloud.ProductionMode
		return writer.UpdateDevice(t.Context(), entry)
	})
	if err != nil {
		t.Fatal(err)
	}
	checkFailure(t, w.ask("DELETE", "/v3/devices/"+device.DeviceID, nil), 400, "400 Bad Request")
}

func TestAGroupLivesItsWholeLife(t *testing.T) {
	w := newWorld(t)
	certificate := w.createCertificate("a")
	first, second, outside := w.bootstrap(certificate), w.bootstrap(certificate), w.bootstrap(certificate)
	w.register(first)
	group := w.must(201, w.ask("POST", "/v3/device-groups/", map[string]any{
		"name": "floor", "description": "two\nlines", "custom_attributes": map[string]string{"a": "b"},
	}))
	if group.at("object") != "device-group" || group.at("devices_count") != 0.0 || group.at("custom_attributes.a") != "b" ||
		!wholeTime.MatchString(fmt.Sprint(group.at("etag"))) {
		t.Errorf("the group is %s", group.text)
	}
	path := "/v3/device-groups/" + group.id()
	checkFailure(t, w.ask("POST", "/v3/device-groups", map[string]string{"name": "floor"}), 409, "409 Conflict")
	for _, device := range []cloud.Identity{first, second, second} {
		if got := w.must(204, w.ask("POST", path+"/devices/add/", map[string]string{"device_id": device.DeviceID})); got.text != "" || got.header.Get("Content-Type") != "" {
			t.Errorf("204 has the body %q", got.text)
		}
	}
	if got := w.must(200, w.ask("GET", path+"/", nil)); got.at("devices_count") != 2.0 || got.at("etag") == group.at("etag") {
		t.Errorf("with two devices it is %s", got.text)
	}
	for query, wanted := range map[string]string{
		"":                                      first.DeviceID + " " + second.DeviceID,
		"?order=DESC":                           second.DeviceID + " " + first.DeviceID,
		"?state__eq=registered":                 first.DeviceID,
		"?filter=state__neq%3Dregistered":       second.DeviceID,
		"?id__in=" + outside.DeviceID:           "",
		"?limit=2&after=" + first.DeviceID:      second.DeviceID,
		"?created_at__lte=2019-01-01T00:00:00Z": "",
	} {
		if got := w.must(200, w.ask("GET", path+"/devices/"+query, nil)); ids(got) != wanted {
			t.Errorf("%q lists %q", query, ids(got))
		}
	}
	if got := w.ask("GET", "/v3/devices/"+second.DeviceID, nil); got.at("groups.0") != group.id() {
		t.Errorf("the device is in %v", got.at("groups"))
	}
	if got := w.ask("GET", "/v3/devices?id="+outside.DeviceID, nil); len(got.at("data.0.groups").([]any)) != 0 {
		t.Errorf("the other device is in %v", got.at("data.0.groups"))
	}
	w.must(204, w.ask("POST", path+"/devices/remove/", map[string]string{"device_id": second.DeviceID}))
	checkFailure(t, w.ask("POST", path+"/devices/remove", map[string]string{"device_id": second.DeviceID}), 404, "404 Not Found")
	w.must(204, w.ask("DELETE", "/v3/devices/"+first.DeviceID, nil))
	if got := w.must(200, w.ask("GET", path, nil)); got.at("devices_count") != 0.0 {
		t.Errorf("a deleted device is still counted: %s", got.text)
	}

	renamed := w.must(200, w.ask("PUT", path+"/", map[string]any{"name": "roof", "custom_attributes": map[string]string{}}))
	if renamed.at("name") != "roof" || renamed.at("description") != "two\nlines" || renamed.at("custom_attributes.a") != nil {
		t.Errorf("renamed it is %s", renamed.text)
	}
	another := w.must(201, w.ask("POST", "/v3/device-groups", map[string]string{"name": "floor"}))
	checkFailure(t, w.ask("PUT", "/v3/device-groups/"+another.id(), map[string]string{"name": "roof"}), 409, "409 Conflict")
	w.must(204, w.ask("DELETE", path, nil))
	for _, request := range [][2]string{
		{"GET", path}, {"PUT", path}, {"DELETE", path}, {"GET", path + "/devices"}, {"POST", path + "/devices/add"}, {"POST", path + "/devices/remove"},
	} {
		got := w.ask(request[0], request[1], map[string]string{"device_id": outside.DeviceID})
		checkFailure(t, got, 404, "404 Not Found")
	}
	checkFailure(t, w.ask("POST", "/v3/device-groups/"+another.id()+"/devices/add", map[string]string{"device_id": first.DeviceID}), 404, "404 Not Found")
}

func ids(list reply) string {
	var all []string
	for _, item := range list.at("data").([]any) {
		all = append(all, item.(map[string]any)["id"].(string))
	}
	return strings.Join(all, " ")
}

func TestGroupsAreFilteredAndRefused(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	full := w.must(201, w.ask("POST", "/v3/device-groups", map[string]string{"name": "full"}))
	empty := w.must(201, w.ask("POST", "/v3/device-groups", map[string]any{"name": "empty", "custom_attributes": map[string]string{"k": "v"}}))
	w.must(204, w.ask("POST", "/v3/device-groups/"+full.id()+"/devices/add", map[string]string{"device_id": device.DeviceID}))
	for query, wanted := range map[string]string{
		"devices_count__gte=1": full.id(), "devices_count__lte=0": empty.id(), "devices_count=1": full.id(), "devices_count__in=0,1": full.id() + " " + empty.id(),
		"devices_count__nin=0,7": full.id(), "devices_count__neq=1": empty.id(), "name__eq=full": full.id(), "name__nin=full": empty.id(),
		"id__in=" + full.id() + ",x": full.id(), "created_at__gte=2019-01-01T00:00:00Z": full.id() + " " + empty.id(),
		"updated_at__lte=2019-01-01T00:00:00Z": "", "custom_attributes__k=v": empty.id(), "filter=devices_count__gte%3D1%26name__eq%3Dfull": full.id(),
	} {
		if got := w.must(200, w.ask("GET", "/v3/device-groups?"+query, nil)); ids(got) != wanted {
			t.Errorf("%s lists %q", query, ids(got))
		}
	}
	attributes := map[string]string{}
	for i := range 11 {
		attributes[fmt.Sprintf("a%d", i)] = ""
	}
	for field, value := range map[string]any{
		"name": strings.Repeat("x", 129), "description": strings.Repeat("x", 2001), "custom_attributes": attributes,
	} {
		checkFailure(t, w.ask("PUT", "/v3/device-groups/"+full.id(), map[string]any{field: value}), 400, "400 Bad Request")
	}
	delete(attributes, "a0")
	w.must(200, w.ask("PUT", "/v3/device-groups/"+full.id(), map[string]any{"custom_attributes": attributes}))
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":5}`} {
		checkFailure(t, w.ask("POST", "/v3/device-groups", body), 400, "400 Bad Request")
	}
	for _, body := range []string{`{}`, `{"device_id":"x"}`, `{"device_id":null}`} {
		checkFailure(t, w.ask("POST", "/v3/device-groups/"+full.id()+"/devices/add", body), 400, "400 Bad Request")
	}
	checkFailure(t, w.ask("GET", "/v3/device-groups?devices_count__gte=many", nil), 400, "400 Bad Request")
}

func TestAQueryLivesItsWholeLife(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/device-queries/", map[string]string{"name": "mine", "query": "state__eq=registered&custom_attributes__a=b"}))
	if made.at("object") != "device-query" || made.at("query") != "state__eq=registered&custom_attributes__a=b" || !wholeTime.MatchString(fmt.Sprint(made.at("etag"))) {
		t.Errorf("it is %s", made.text)
	}
	path := "/v3/device-queries/" + made.id()
	if got := w.must(200, w.ask("GET", path+"/", nil)); got.text != made.text {
		t.Errorf("read again it is %s", got.text)
	}
	changed := w.must(200, w.ask("PUT", path, map[string]string{"name": "yours", "query": "id=" + made.id()}))
	if changed.at("name") != "yours" || changed.at("etag") == made.at("etag") || changed.at("created_at") != made.at("created_at") {
		t.Errorf("changed it is %s", changed.text)
	}
	for query, wanted := range map[string]string{
		"": made.id(), "?name__eq=yours": made.id(), "?name=mine": "", "?query__eq=" + url.QueryEscape("id="+made.id()): made.id(), "?id__nin=" + made.id(): "",
	} {
		if got := w.must(200, w.ask("GET", "/v3/device-queries"+query, nil)); ids(got) != wanted {
			t.Errorf("%q lists %q", query, ids(got))
		}
	}
	for _, body := range []map[string]string{
		{"name": "x"},
		{"query": "id=1"},
		{"name": "", "query": "id=1"},
		{"name": "x", "query": ""},
		{"name": "x", "query": "id=%zz"},
		{"name": strings.Repeat("x", 201), "query": "id=1"},
		{"name": "x", "query": "name=" + strings.Repeat("x", 1000)},
	} {
		checkFailure(t, w.ask("POST", "/v3/device-queries", body), 400, "400 Bad Request")
		checkFailure(t, w.ask("PUT", path, body), 400, "400 Bad Request")
	}
	w.must(204, w.ask("DELETE", path+"/", nil))
	checkFailure(t, w.ask("GET", path, nil), 404, "404 Not Found")
	checkFailure(t, w.ask("DELETE", path, nil), 404, "404 Not Found")
	checkFailure(t, w.ask("PUT", path, map[string]string{"name": "x", "query": "id=1"}), 404, "404 Not Found")
}

func TestEventsAreFilteredInEveryWay(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	w.register(device)
	w.register(device) // changes no state
	all := w.must(200, w.ask("GET", "/v3/device-events", nil))
	first := all.at("data.0").(map[string]any)
	last := all.at("data.2").(map[string]any)
	at := fmt.Sprint(last["date_time"])
	for query, wanted := range map[string]float64{
		"state_change__eq=true": 2, "state_change__neq=true": 1, "state_change=false": 1, "state_change__in=true,false": 3, "state_change__nin=true": 1,
		"date_time__gte=" + at: 1, "date_time__lte=" + at: 3, "date_time__gte=2019-01-01T00:00:00Z": 3, "date_time__lte=2019-01-01T00:00:00Z": 0,
		"date_time__in=" + at: 1, "date_time__nin=" + at: 2, "date_time__gte=9999-01-01": 0,
		"event_type__eq=registration": 2, "event_type__neq=registration": 1, "event_type__in=bootstrap,x": 1, "event_type__nin=bootstrap": 2,
		"id__eq=" + fmt.Sprint(first["id"]): 1, "id__neq=" + fmt.Sprint(first["id"]): 2,
		"device_id__in=" + device.DeviceID: 3, "device_id__nin=" + device.DeviceID: 0,
		"description__eq=" + url.QueryEscape(fmt.Sprint(first["description"])): 1,
		"filter=event_type__eq%3Dregistration%26state_change__eq%3Dtrue":       1,
	} {
		for _, path := range []string{"/v3/device-events?", "/v3/devicelog/?"} {
			if got := w.must(200, w.ask("GET", path+query, nil)); got.at("total_count") != wanted {
				t.Errorf("%s%s chooses %v", path, query, got.at("total_count"))
			}
		}
	}
}
