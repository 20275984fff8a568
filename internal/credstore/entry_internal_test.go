package credstore

import (
	"os"
	"testing"

	"mbl/internal/credential"
)

func TestAnEntryThatCannotBeWrittenWholeIsNotThere(t *testing.T) {
	team := &TeamStore{dir: t.TempDir()}
	err := team.addEntry("x", []credential.Variable{{Name: "first"}, {Name: "no such folder/second"}})
	if err == nil {
		t.Fatal("written")
	}
	left, err := os.ReadDir(team.dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
