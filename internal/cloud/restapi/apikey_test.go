package restapi_test

import (
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestAnAPIKeyIsShownWholeOnlyOnce(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/api-keys/", map[string]string{"name": "mine"}))
	text := fmt.Sprint(made.at("key"))
	account, err := base64.RawStdEncoding.DecodeString(text[4:47])
	if len(text) != 111 || text[:4] != "ak_1" || err != nil || string(account) != made.at("account_id") || text[47:79] != made.id() {
		t.Errorf("the key is %q (%d characters, account %q)", text, len(text), account)
	}
	if got := w.askAs(text, "GET", "/v3/api-keys/me", nil); got.at("id") != made.at("id") || got.at("name") != "mine" {
		t.Errorf("the key is not its own: %s", got.text)
	}
	for _, got := range []any{
		w.ask("GET", "/v3/api-keys/"+made.id(), nil).at("key"),
		w.ask("GET", "/v3/api-keys?key__eq="+text[:79], nil).at("data.0.key"),
		w.ask("GET", "/v3/api-keys?key="+made.id(), nil).at("data.0.key"),
		w.ask("PUT", "/v3/api-keys/"+made.id(), map[string]string{"name": "renamed"}).at("key"),
	} {
		if got != text[:79] {
			t.Errorf("later it is %q", got)
		}
	}
}

func TestAnAPIKeyIsADevelopersByDefault(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "dev"}))
	key := fmt.Sprint(made.at("key"))
	for path, status := range map[string]int{
		"/v3/accounts/me": 200, "/v3/trusted-certificates": 200, "/v3/devices": 200, "/v3/server-credentials": 200,
		"/v3/api-keys/me": 200, "/v3/api-keys/" + made.id(): 200, "/v3/api-keys": 403,
		"/v3/api-keys/0123456789abcdef0123456789abcdef": 403,
	} {
		if got := w.askAs(key, "GET", path, nil); got.status != status {
			t.Errorf("%s is answered %s", path, got.line)
		}
	}
	checkFailure(t, w.askAs(key, "POST", "/v3/api-keys", map[string]string{"name": "x"}), 403, "403 Forbidden")
	admin := w.must(200, w.ask("GET", "/v3/api-keys/me", nil))
	checkFailure(t, w.askAs(key, "DELETE", "/v3/api-keys/"+admin.id(), nil), 403, "403 Forbidden")
	w.must(201, w.askAs(key, "POST", "/v3/developer-certificates", map[string]string{"name": "x"}))
}

func TestADeveloperCannotMakeHimselfAdministrator(t *testing.T) {
	w := newWorld(t)
	key := w.newKey(cloud.Developers)
	administrators := w.ask("GET", "/v3/api-keys/me", nil).at("groups")
	got := w.askAs(key, "PUT", "/v3/api-keys/me", map[string]any{"name": "x", "groups": administrators})
	checkFailure(t, got, 403, "403 Forbidden")
	if got := w.askAs(key, "GET", "/v3/api-keys/me", nil); got.at("name") != "test" {
		t.Errorf("the refused change was half made: %s", got.text)
	}
	w.must(403, w.askAs(key, "POST", "/v3/api-keys", map[string]string{"name": "x"}))
}

func TestAnAdministratorMakesAdministrators(t *testing.T) {
	w := newWorld(t)
	groups := w.ask("GET", "/v3/api-keys/me", nil).at("groups")
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]any{"name": "x", "groups": groups}))
	w.must(201, w.askAs(fmt.Sprint(made.at("key")), "POST", "/v3/api-keys", map[string]string{"name": "y"}))
}

func TestAResetSecretVoidsTheOldOne(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
	old := fmt.Sprint(made.at("key"))
	fresh := fmt.Sprint(w.must(200, w.askAs(old, "POST", "/v3/api-keys/"+made.id()+"/reset-secret", `{}`)).at("key"))
	if len(fresh) != 111 || fresh[:79] != old[:79] || fresh == old {
		t.Errorf("the new key is %q", fresh)
	}
	w.must(401, w.askAs(old, "GET", "/v3/accounts/me", nil))
	w.must(200, w.askAs(fresh, "GET", "/v3/accounts/me", nil))
}

func TestAnAPIKeyCountsItsChangesAndItsUse(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
	if made.at("etag") != "1" || made.at("status") != "ACTIVE" || made.at("last_login_time") != nil {
		t.Errorf("a new key is %s", made.text)
	}
	if created := int64(made.at("creation_time").(float64)); time.Since(time.UnixMilli(created)).Abs() > time.Minute {
		t.Errorf("creation_time is %d", created)
	}
	w.askAs(fmt.Sprint(made.at("key")), "GET", "/v3/accounts/me", nil)
	changed := w.must(200, w.ask("PUT", "/v3/api-keys/"+made.id(), map[string]string{"name": "y"}))
	if changed.at("etag") != "2" || changed.at("name") != "y" || changed.at("last_login_time") == nil {
		t.Errorf("the changed key is %s", changed.text)
	}
}

func TestAPIKeysAreListedByOwner(t *testing.T) {
	w := newWorld(t)
	owner := fmt.Sprint(w.ask("GET", "/v3/api-keys/me", nil).at("owner"))
	other := "0123456789abcdef0123456789abcdef"
	w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x", "owner": owner}))
	if got := w.ask("GET", "/v3/api-keys?owner__eq="+owner, nil); got.at("total_count") != 2.0 {
		t.Errorf("of the administrator: %s", got.text)
	}
	if got := w.ask("GET", "/v3/api-keys?owner__eq="+other, nil); got.at("total_count") != 0.0 {
		t.Errorf("of the other: %s", got.text)
	}
}

func TestAnAPIKeyBelongsToAUserOfTheAccount(t *testing.T) {
	w := newWorld(t)
	stranger := map[string]string{"name": "x", "owner": "0123456789abcdef0123456789abcdef"}
	checkFailure(t, w.ask("POST", "/v3/api-keys", stranger), 400, "400 Bad Request")
	checkFailure(t, w.ask("PUT", "/v3/api-keys/me", stranger), 400, "400 Bad Request")
	w.must(200, w.ask("GET", "/v3/users/me", nil))
}

func TestAccountsMeIncludesWhatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	plain := w.must(200, w.ask("GET", "/v3/accounts/me", nil))
	if plain.at("object") != "account" || plain.at("status") != "ACTIVE" || plain.at("limits") != nil || plain.at("policies") != nil {
		t.Errorf("the account is %s", plain.text)
	}
	full := w.must(200, w.ask("GET", "/v3/accounts/me?include=limits%2C+policies", nil))
	if full.at("limits.developer_certificate_devices") != "100" || full.at("policies") == nil || full.at("sub_accounts") != nil {
		t.Errorf("with limits and policies it is %s", full.text)
	}
}

func TestManyRequestsWithOneKeyAtOnce(t *testing.T) {
	w := newWorld(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if got := w.ask("GET", "/v3/api-keys/me", nil); got.status != 200 {
				t.Errorf("answered %s", got.line)
			}
		})
	}
	group.Wait()
}
