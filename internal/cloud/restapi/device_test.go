package restapi_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"mbl/internal/cloud"
)

func TestADeviceShowsWhatIsKnownOfIt(t *testing.T) {
	w := newWorld(t)
	certificate := w.createCertificate("a")
	device := w.bootstrap(certificate)
	entry := w.must(200, w.ask("GET", "/v3/devices/"+device.DeviceID, nil))
	if entry.at("state") != "bootstrapped" || entry.at("endpoint_type") != "" {
		t.Errorf("after bootstrap it is %s", entry.text)
	}
	vendor, class := strings.Repeat("\x01", 16), strings.Repeat("\xfe", 16)
	w.register(device,
		cloud.Link{Path: "/3/0/2", Attributes: map[string]string{"v": "SN-7"}},
		cloud.Link{Path: "/10255/0/3", Attributes: map[string]string{"v": base64.StdEncoding.EncodeToString([]byte(vendor))}},
		cloud.Link{Path: "/10255/0/4", Attributes: map[string]string{"v": base64.StdEncoding.EncodeToString([]byte(class))}},
	)
	entry = w.must(200, w.ask("GET", "/v3/devices/"+device.DeviceID, nil))
	for field, wanted := range map[string]any{
		"object": "device", "id": device.DeviceID, "account_id": device.AccountID, "endpoint_name": device.EndpointName,
		"endpoint_type": "default", "state": "registered", "device_execution_mode": 1.0, "ca_id": certificate.id(),
		"serial_number": "SN-7", "vendor_id": strings.Repeat("01", 16), "device_class": strings.Repeat("fe", 16),
		"mechanism": "connector", "deployed_state": "development", "auto_update": false, "description": "",
	} {
		if entry.at(field) != wanted {
			t.Errorf("%s is %v", field, entry.at(field))
		}
	}
	for _, field := range []string{"bootstrap_expiration_date", "connector_expiration_date"} {
		if date := fmt.Sprint(entry.at(field)); len(date) != len("2036-01-01") {
			t.Errorf("%s is %s", field, date)
		}
	}
	if entry.at("etag") != entry.at("updated_at") {
		t.Errorf("etag %v, updated_at %v", entry.at("etag"), entry.at("updated_at"))
	}
}

func TestADeviceIsRenamedAndKeepsTheRest(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	path := "/v3/devices/" + device.DeviceID
	w.must(200, w.ask("PUT", path, map[string]any{"name": "kitchen", "description": "first"}))
	w.must(200, w.ask("PUT", path+"/", map[string]any{"custom_attributes": map[string]string{"room": "1", "floor": "2"}}))
	got := w.must(200, w.ask("PUT", path, map[string]any{"custom_attributes": map[string]string{"room": "3"}, "endpoint_name": "ignored"}))
	if got.at("name") != "kitchen" || got.at("description") != "first" || got.at("endpoint_name") != device.EndpointName {
		t.Errorf("the device is %s", got.text)
	}
	if got.at("custom_attributes.room") != "3" || got.at("custom_attributes.floor") != nil {
		t.Errorf("the attributes are %v", got.at("custom_attributes"))
	}
	for name, body := range map[string]any{
		"name too long":    map[string]string{"name": strings.Repeat("x", 129)},
		"text too long":    map[string]string{"description": strings.Repeat("x", 2001)},
		"control":          map[string]string{"name": "a\nb"},
		"six attributes":   `{"custom_attributes":{"a":"","b":"","c":"","d":"","e":"","f":""}}`,
		"digit first":      `{"custom_attributes":{"1a":"x"}}`,
		"quote in key":     `{"custom_attributes":{"a\"b":"x"}}`,
		"long value":       `{"custom_attributes":{"a":"` + strings.Repeat("x", 129) + `"}}`,
		"number for value": `{"custom_attributes":{"a":5}}`,
	} {
		if got := w.ask("PUT", path, body); got.status != 400 {
			t.Errorf("%s: answered %s", name, got.line)
		}
	}
	if now := w.must(200, w.ask("GET", path, nil)); now.text != got.text {
		t.Errorf("a refused change left %s", now.text)
	}
}

func TestADeletedDeviceIsGoneAndItsSlotIsFree(t *testing.T) {
	w := newWorldWith(t, cloud.Limits{DevicesPerCertificate: 1})
	certificate := w.createCertificate("a")
	device := w.bootstrap(certificate)
	w.must(204, w.ask("DELETE", "/v3/devices/"+device.DeviceID+"/", nil))
	checkFailure(t, w.ask("GET", "/v3/devices/"+device.DeviceID, nil), 404, "404 Not Found")
	checkFailure(t, w.ask("DELETE", "/v3/devices/"+device.DeviceID, nil), 404, "404 Not Found")
	if another := w.bootstrap(certificate); another.DeviceID == device.DeviceID {
		t.Error("the new device has the old id")
	}
}

func TestDevicesAreFilteredInEverySpelling(t *testing.T) {
	w := newWorld(t)
	certificate := w.createCertificate("a")
	first, second := w.bootstrap(certificate), w.bootstrap(certificate)
	w.register(first, cloud.Link{Path: "/10255/0/3", Attributes: map[string]string{"v": base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xab", 16)))}})
	w.must(200, w.ask("PUT", "/v3/devices/"+second.DeviceID, map[string]any{
		"name": "a+b & c", "custom_attributes": map[string]string{"my attr": "a+b"},
	}))
	created := fmt.Sprint(w.ask("GET", "/v3/devices/"+first.DeviceID, nil).at("created_at"))
	dashed := "ABABABAB-abab-abab-abab-abababababab"
	for query, wanted := range map[string]float64{
		"state__eq=registered":                1,
		"state=registered":                    1,
		"state__in=registered%2Cbootstrapped": 2,
		"filter=state__in%3D%255B%2527registered%2527%252C%2B%2527x%2527%255D":          1, // ['registered', 'x']
		"state__nin=registered,deregistered":                                            1,
		"filter=state__eq%3Dregistered":                                                 1,
		"filter=state__eq=registered":                                                   1,
		"filter=vendor_id__eq=" + dashed + "&state__eq=registered":                      1,
		"filter=vendor_id__eq%3D" + dashed + "%26state__eq%3Dbootstrapped":              0,
		"filter=state__eq%3Dregistered&state__eq=bootstrapped":                          0,
		"id__eq=" + first.DeviceID:                                                      1,
		"id__neq=" + first.DeviceID:                                                     1,
		"id__in=" + first.DeviceID + "," + strings.ToUpper(second.DeviceID):             2,
		"endpoint_name__eq=" + first.EndpointName:                                       2,
		"name__eq=" + url.QueryEscape("a+b & c"):                                        1,
		"filter=" + url.QueryEscape("name__eq="+url.QueryEscape("a+b & c")):             1,
		"created_at__lte=2019-01-01T00:00:00Z":                                          0,
		"created_at__gte=2019-01-01T00:00:00Z":                                          2,
		"created_at__gte=2019-01-01":                                                    2,
		"created_at__lte=" + created:                                                    1,
		"created_at__lte=" + url.QueryEscape(strings.TrimSuffix(created, "Z")+"+00:00"): 1,
		"created_at__lte=" + strings.TrimSuffix(created, "Z") + "+00:00":                1,
		"filter=created_at__in%3D" + created:                                            1,
		"auto_update__eq=false":                                                         2,
		"auto_update__neq=false":                                                        0,
		"device_execution_mode__eq=1":                                                   2,
		"device_execution_mode__in=0,5":                                                 0,
		"custom_attributes__my%20attr__eq=a%2Bb":                                        1,
		"custom_attributes__my%20attr=a%2Bb":                                            1,
		"filter=" + url.QueryEscape("custom_attributes__my+attr=a%2Bb"):                 1,
		"custom_attributes__eq=" + url.QueryEscape(`{"my attr":"a+b"}`):                 1,
		"custom_attributes__eq=" + url.QueryEscape(`{"my attr":"b"}`):                   0,
		"ca_id__eq=" + certificate.id():                                                 2,
		"id__nin=" + strings.Repeat(",", 1999):                                          2,
	} {
		got := w.must(200, w.ask("GET", "/v3/devices?"+query, nil))
		if got.at("total_count") != wanted {
			t.Errorf("%s chooses %v", query, got.at("total_count"))
		}
	}
	for _, query := range []string{
		"nothing__eq=x", "filter=nothing=x", "state__lte=registered", "groups__eq=x", "filter=groups__in%3Dx", "name__like=x",
		"auto_update__eq=yes", "created_at__like=x", "custom_attributes__eq=x", "custom_attributes__1=x", "filter=%25zz",
		"id__in=" + strings.Repeat(",", 33000), // more than SQLite takes
	} {
		checkFailure(t, w.ask("GET", "/v3/devices?"+query, nil), 400, "400 Bad Request")
	}
}

// What a device is shown with finds it: of these fields that is the date alone.
func TestDevicesAreFoundByTheDatesTheyAreShownWith(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	entry := w.must(200, w.ask("GET", "/v3/devices/"+device.DeviceID, nil))
	for _, field := range []string{"bootstrap_expiration_date", "connector_expiration_date"} {
		date := fmt.Sprint(entry.at(field))
		for condition, wanted := range map[string]float64{
			"=" + date: 1, "__eq=" + date: 1, "__neq=" + date: 0, "__in=2001-02-03," + date: 1, "__nin=" + date: 0,
			"__lte=" + date: 1, "__gte=" + date: 1, "__eq=" + date + "T23:59:59Z": 1, "__gte=" + date + "T23:59:59.5Z": 1,
			"__lte=2001-02-03": 0, "__gte=2001-02-03": 1, "__neq=2001-02-03": 1,
		} {
			if got := w.must(200, w.ask("GET", "/v3/devices?"+field+condition, nil)); got.at("total_count") != wanted {
				t.Errorf("%s%s chooses %v", field, condition, got.at("total_count"))
			}
		}
		checkFailure(t, w.ask("GET", "/v3/devices?"+field+"__eq=tomorrow", nil), 400, "400 Bad Request")
	}
}

func TestListsArePagedWithoutGapsAndRepeats(t *testing.T) {
	w := newWorld(t)
	certificate := w.createCertificate("a")
	var wanted []string
	for range 5 {
		wanted = append(wanted, w.bootstrap(certificate).DeviceID)
	}
	for order, ids := range map[string][]string{"ASC": wanted, "DESC": reversed(wanted)} {
		var got []string
		after := ""
		for {
			page := w.must(200, w.ask("GET", "/v3/devices?limit=2&order="+order+after, nil))
			for _, item := range page.at("data").([]any) {
				got = append(got, item.(map[string]any)["id"].(string))
			}
			if page.at("total_count") != 5.0 || page.at("limit") != 2.0 || page.at("order") != order || page.at("object") != "list" {
				t.Errorf("a page is %s", page.text)
			}
			if page.at("has_more") == false {
				break
			}
			after = "&after=" + got[len(got)-1]
		}
		if strings.Join(got, " ") != strings.Join(ids, " ") {
			t.Errorf("%s gives %v", order, got)
		}
	}
	for query, limit := range map[string]float64{
		"limit=0": 2, "limit=-3": 2, "limit=5000": 1000, "": 50, "limit=1": 2, "limit=99999999999999999999": 1000, "limit=-99999999999999999999": 2,
	} {
		if got := w.must(200, w.ask("GET", "/v3/devices?"+query, nil)); got.at("limit") != limit || got.at("after") != nil {
			t.Errorf("%q gives limit %v", query, got.at("limit"))
		}
	}
}

func reversed(list []string) []string {
	var turned []string
	for _, item := range list {
		turned = append([]string{item}, turned...)
	}
	return turned
}

func TestEventsTellADevicesStory(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	w.register(device)
	location := []string{"rd", device.AccountID, device.DeviceID}
	for range 3 { // updates write no events
		if err := w.service.UpdateRegistration(t.Context(), device, location, cloud.RegistrationUpdate{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.service.Deregister(t.Context(), device, location); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v3/device-events/", "/v3/devicelog"} {
		got := w.must(200, w.ask("GET", path+"?device_id__eq="+device.DeviceID, nil))
		var story []string
		for _, item := range got.at("data").([]any) {
			story = append(story, item.(map[string]any)["event_type"].(string))
		}
		if strings.Join(story, " ") != "bootstrap registration deregistration" {
			t.Errorf("the story is %v", story)
		}
	}
	last := w.must(200, w.ask("GET", "/v3/device-events?order=DESC&state_change__eq=true&limit=2", nil))
	if last.at("data.0.data.state") != "deregistered" || last.at("data.0.device_id") != device.DeviceID {
		t.Errorf("the last event is %v", last.at("data.0"))
	}
	id := fmt.Sprint(last.at("data.0.id"))
	if one := w.must(200, w.ask("GET", "/v3/devicelog/"+id+"/", nil)); one.id() != id || one.at("object") != "device-event" {
		t.Errorf("one event is %s", one.text)
	}
	if got := w.ask("GET", "/v3/device-events?event_type__in=bootstrap,registration&date_time__gte=2020-01-01T00:00:00Z", nil); got.at("total_count") != 2.0 {
		t.Errorf("two types choose %v", got.at("total_count"))
	}
}
