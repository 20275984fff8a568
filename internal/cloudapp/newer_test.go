package cloudapp_test

import (
	"database/sql"
	"testing"

	_ "modernc.org/sqlite" // to do as a later version would
)

// makeNewer makes a database look as if a later version had changed it.
func makeNewer(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
}
