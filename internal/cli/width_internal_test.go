package cli

import (
	"reflect"
	"testing"
)

func TestATableFitsTheTerminal(t *testing.T) {
	table := [][]string{{"ID", "NAME", "ENDPOINT", "SEEN"}, {"1234", "küche", "e123456789", "now"}}
	for columns, want := range map[int][][]string{
		80: table,
		29: table, // to the column
		28: {{"ID", "NAME", "SEEN"}, {"1234", "küche", "now"}},
		17: {{"ID", "NAME", "SEEN"}, {"1234", "küche", "now"}},
		16: {{"ID", "NAME"}, {"1234", "küche"}},
		1:  {{"ID", "NAME"}, {"1234", "küche"}}, // these are shown in any case
	} {
		if got := fitTable(table, columns, "ENDPOINT", "SEEN"); !reflect.DeepEqual(got, want) {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}
