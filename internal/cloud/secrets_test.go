package cloud_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/sealed"
)

func TestAnotherSealKeyOpensNothing(t *testing.T) {
	h := newHouse(t)
	h.certificate("a")
	h.seal = sealed.Generate()
	wantError(t, "starting", h.tryStart(), cloud.ErrSealKey)
}

func TestTheAuthoritiesStayTheSame(t *testing.T) {
	h := newHouse(t)
	before := h.LwM2MCredential()
	h.start()
	if after := h.LwM2MCredential(); !bytes.Equal(after.Certificate, before.Certificate) || after.ID != before.ID {
		t.Error("a restart made a new authority")
	}
}

func TestTheReadingOfAPrivateKeyIsRecorded(t *testing.T) {
	h := newHouse(t)
	developer, _ := h.certificate("a")
	h.memory.audit = nil
	if _, err := h.DeveloperCertificate(h.ctx, h.who, developer.ID); err != nil {
		t.Fatal(err)
	}
	if len(h.memory.audit) != 1 || h.memory.audit[0].ObjectID != developer.ID || h.memory.audit[0].KeyID != h.who.KeyID {
		t.Errorf("recorded %+v", h.memory.audit)
	}
	h.memory.auditFail = errors.New("disk full")
	read, err := h.DeveloperCertificate(h.ctx, h.who, developer.ID)
	wantError(t, "a reading that cannot be recorded", err, h.memory.auditFail)
	if read != nil {
		t.Error("the key was read all the same")
	}
}

func TestTheDatabaseHoldsNoSecretInClear(t *testing.T) {
	h := newHouse(t)
	developer, _ := h.certificate("a")
	key, err := h.IssueAPIKey(h.ctx, "another", cloud.Developers)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(h.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	pem := strings.Split(developer.PrivateKey.Reveal(), "\n")[1]
	der := privateScalar(t, developer)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, secretText := range map[string]string{"API key": key.Reveal()[79:], "PEM key": pem, "DER key": string(der)} {
			if bytes.Contains(content, []byte(secretText)) {
				t.Errorf("%s holds the %s", filepath.Base(file), name)
			}
		}
	}
}

func TestWhatWaitsForAKeyIsSealedAndTakenOnce(t *testing.T) {
	h := newHouse(t)
	const payload = "the password of the Wi-Fi"
	saved := []cloud.Backlog{{KeyID: h.who.KeyID, Body: []byte(payload)}, {KeyID: "deleted", Body: []byte(payload)}}
	if err := h.SaveBacklogs(h.ctx, saved); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(h.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte(payload)) {
			t.Errorf("%s holds it in clear, or %v", file, err)
		}
	}
	for _, wanted := range []int{1, 0} {
		taken, err := h.TakeBacklogs(h.ctx)
		if err != nil || len(taken) != wanted || wanted == 1 && (string(taken[0].Body) != payload || taken[0].AccountID != h.who.AccountID) {
			t.Errorf("took %+v, %v", taken, err)
		}
	}
}
