package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// released are the migrations that databases in use have gone through. A file
// here never changes again: it would make two kinds of databases.
var released = map[string]string{
	"00001_the_chain.sql":         "bf6af81c3cf2ff31af7c711c58e0ac30d694de4146cecfd886b39732e43728d2",
	"00002_event_retention.sql":   "6010afe1abb61628847a2e7e0792cde88bb106b1a2191a4e48fad2e2668f5eae",
	"00010_device_identities.sql": "72dfde4aed5afc4a7669a542cd0362318da1d380c6b86df4e439af11b0fd2f50",
}

func TestReleasedMigrationsNeverChange(t *testing.T) {
	for name, sum := range released {
		text, err := fs.ReadFile(sqliteMigrations, "migrations/sqlite/"+name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := sha256.Sum256(text); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s was changed (%x): write a new migration", name, got)
		}
	}
}

// firstDatabase makes a database as the first version of the program did,
// with something in each of its tables.
func firstDatabase(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "first.db")
	db, err := openSQLite(t.Context(), path, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	steps, err := sqliteSteps(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("testdata/first-version.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, db, string(content))
	return path
}

func execute(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstVersionsDatabaseIsBroughtUpToDateWithAllThatIsInIt(t *testing.T) {
	path := firstDatabase(t)
	for range 2 { // the second time nothing is left to do
		s, err := OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		readFirstDatabase(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func readFirstDatabase(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	account, err := s.FirstAccount(ctx)
	if err != nil || account.DisplayName != "mbl-cloud" {
		t.Fatalf("the account is %+v, %v", account, err)
	}
	key, err := s.APIKey(ctx, "0195c5f2a4f20000000000010010000b")
	if err != nil || key.Name != "first administrator" || len(key.Digest) != 32 || !key.Active {
		t.Errorf("the API key is %+v, %v", key, err)
	}
	authority, err := s.Authority(ctx, cloud.DeviceAuthority)
	if err != nil || len(authority.SealedKey) != 3 {
		t.Errorf("the authority is %+v, %v", authority, err)
	}
	certificate, err := s.CertificateByFingerprint(ctx, "f1")
	if err != nil || certificate.Name != "developer" || certificate.DeveloperCertificateID != "" || !certificate.Active {
		t.Errorf("the certificate is %+v, %v", certificate, err)
	}
	device, err := s.Device(ctx, "0195c5f2a4f2000000000001001000de")
	if err != nil || device.State != cloud.StateRegistered || device.CustomAttributes["place"] != "roof" {
		t.Errorf("the device is %+v, %v", device, err)
	}
	standing, err := s.Standing(ctx, "d1")
	if err != nil || standing.Status != cloud.CertificateActive || !standing.TrustedCertificate {
		t.Errorf("the device stands as %+v, %v", standing, err)
	}
	registration, err := s.Registration(ctx, device.ID)
	if err != nil || registration.Lifetime != time.Hour || len(registration.Links) != 1 || registration.Links[0].Path != "/3/0" {
		t.Errorf("the registration is %+v, %v", registration, err)
	}
	events, err := s.Events(ctx, account.ID, cloud.Query{Limit: 10})
	if err != nil || len(events.Items) != 1 || events.Items[0].Type != cloud.EventRegistration {
		t.Errorf("the events are %+v, %v", events, err)
	}
}

func TestADatabaseOfANewerVersionIsLeftAlone(t *testing.T) {
	path := firstDatabase(t)
	db, err := openSQLite(t.Context(), path, "mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	execute(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
	if s, err := OpenSQLite(t.Context(), path); !errors.Is(err, ErrNewer) {
		t.Fatalf("opened: %v, %v", s, err)
	}
	var indexes int
	err = db.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_master WHERE name = 'device_events_by_time'`).Scan(&indexes)
	if err != nil || indexes != 0 {
		t.Errorf("it was changed: %d, %v", indexes, err)
	}
	if err := CheckSQLite(t.Context(), path); !errors.Is(err, ErrNewer) {
		t.Errorf("checked: %v", err)
	}
}
