package restapi_test

import (
	"database/sql"
	"testing"

	_ "modernc.org/sqlite" // to break the database from outside
)

func (w *world) sql(statement string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.database)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(w.t.Context(), statement); err != nil {
		w.t.Fatal(err)
	}
}

func TestTheServiceSaysSoWhenNothingCanBeWritten(t *testing.T) {
	w := newWorld(t)
	w.sql("ALTER TABLE write_proofs RENAME TO gone")
	if err := w.service.ProveWritable(t.Context()); err == nil {
		t.Fatal("it was written")
	}
	if reply := w.askAs("", "GET", "/healthz", nil); reply.status != 503 || reply.at("status") != "unavailable" {
		t.Errorf("answered %d, %s", reply.status, reply.text)
	}
	w.sql("ALTER TABLE gone RENAME TO write_proofs")
	if err := w.service.ProveWritable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reply := w.askAs("", "GET", "/healthz", nil); reply.status != 200 || reply.at("status") != "ok" {
		t.Errorf("answered %d, %s", reply.status, reply.text)
	}
}
