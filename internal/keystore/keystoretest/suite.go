// Package keystoretest is the suite every keystore.Store must pass.
package keystoretest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mbl/internal/keystore"
)

// Run runs the suite. newStore makes an empty store and returns a function
// that opens it; each call of that stands for one more process.
func Run(t *testing.T, newStore func(t *testing.T) (open func() keystore.Store)) {
	tests := map[string]func(t *testing.T, open func() keystore.Store){
		"a new store is empty":                               isEmpty,
		"what was put is there for every process":            keeps,
		"put replaces and delete removes":                    replacesAndRemoves,
		"names and sizes have limits":                        hasLimits,
		"a change with a bad item changes nothing":           refusesWhole,
		"a change is made when its condition holds":          changesOnCondition,
		"a change whose condition fails changes nothing":     refusesOnCondition,
		"a returned item is the caller's own":                handsOutCopies,
		"concurrent changes are neither lost nor intermixed": isConcurrent,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func isEmpty(t *testing.T, open func() keystore.Store) {
	store := open()
	wantItems(t, store, nil)
	if _, err := store.Get("mbed.EndpointName"); !errors.Is(err, keystore.ErrNotFound) || !strings.Contains(err.Error(), "mbed.EndpointName") {
		t.Errorf("Get = %v, want ErrNotFound with the item's name", err)
	}
	if err := store.Delete("mbed.EndpointName"); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
}

func keeps(t *testing.T, open func() keystore.Store) {
	items := map[string][]byte{"mbed.EndpointName": []byte("name"), "sslsession": {0, 1, 2}, "mbed.SerialNumber": {}}
	must(t, open().Replace(keystore.Change{Put: items}))
	wantItems(t, open(), items)
}

func replacesAndRemoves(t *testing.T, open func() keystore.Store) {
	store := open()
	must(t, store.Put("a", []byte("1")))
	must(t, store.Put("b", []byte("2")))
	must(t, store.Put("a", []byte("3")))
	must(t, store.Delete("b"))
	wantItems(t, open(), map[string][]byte{"a": []byte("3")})
	must(t, store.Replace(keystore.Change{Delete: []string{"a"}, Put: map[string][]byte{"a": []byte("4")}}))
	wantItems(t, open(), map[string][]byte{"a": []byte("4")})
}

func hasLimits(t *testing.T, open func() keystore.Store) {
	store := open()
	longest := strings.Repeat("n", keystore.MaxName)
	largest := bytes.Repeat([]byte{7}, keystore.MaxData)
	must(t, store.Put(longest, largest))
	wantItems(t, store, map[string][]byte{longest: largest})
	for _, name := range []string{"", longest + "n", "line\nbreak", "a b", "ä"} {
		if err := store.Put(name, nil); !errors.Is(err, keystore.ErrInvalid) {
			t.Errorf("Put(%q) = %v, want ErrInvalid", name, err)
		}
	}
	if err := store.Put("large", append(largest, 7)); !errors.Is(err, keystore.ErrInvalid) {
		t.Errorf("Put of too much = %v, want ErrInvalid", err)
	}
	for _, name := range []string{"../escape", "/etc/passwd", "."} {
		must(t, store.Put(name, []byte("just a name")))
	}
}

func refusesWhole(t *testing.T, open func() keystore.Store) {
	store := open()
	must(t, store.Put("a", []byte("old")))
	err := store.Replace(keystore.Change{Delete: []string{"a"}, Put: map[string][]byte{"b": []byte("new"), "": nil}})
	if !errors.Is(err, keystore.ErrInvalid) {
		t.Errorf("Replace = %v, want ErrInvalid", err)
	}
	wantItems(t, open(), map[string][]byte{"a": []byte("old")})
}

func changesOnCondition(t *testing.T, open func() keystore.Store) {
	store := open()
	must(t, store.Put("a", []byte("old")))
	must(t, store.Replace(keystore.Change{
		If:  map[string][]byte{"a": []byte("old"), "b": nil},
		Put: map[string][]byte{"b": []byte("new")},
	}))
	wantItems(t, open(), map[string][]byte{"a": []byte("old"), "b": []byte("new")})
}

func refusesOnCondition(t *testing.T, open func() keystore.Store) {
	store := open()
	must(t, store.Put("a", []byte("old")))
	for _, condition := range []map[string][]byte{{"a": []byte("other")}, {"a": nil}, {"b": []byte("x")}, {"b": {}}} {
		err := store.Replace(keystore.Change{If: condition, Delete: []string{"a"}, Put: map[string][]byte{"c": nil}})
		if !errors.Is(err, keystore.ErrConflict) {
			t.Errorf("Replace if %q = %v, want ErrConflict", condition, err)
		}
	}
	wantItems(t, open(), map[string][]byte{"a": []byte("old")})
}

func handsOutCopies(t *testing.T, open func() keystore.Store) {
	store := open()
	must(t, store.Put("a", []byte("abc")))
	got, err := store.Get("a")
	must(t, err)
	got[0] = 'X'
	wantItems(t, store, map[string][]byte{"a": []byte("abc")})
}

func isConcurrent(t *testing.T, open func() keystore.Store) {
	const writers, rounds = 4, 10
	var group sync.WaitGroup
	for writer := range writers {
		store := open()
		group.Go(func() {
			for round := range rounds {
				value := []byte(fmt.Sprintf("%d-%d", writer, round))
				own := fmt.Sprintf("own-%d", writer)
				err := store.Replace(keystore.Change{Put: map[string][]byte{"both-1": value, "both-2": value, own: value}})
				if err != nil {
					t.Errorf("Replace: %v", err)
				}
			}
		})
	}
	group.Wait()
	store := open()
	one, err := store.Get("both-1")
	must(t, err)
	two, err := store.Get("both-2")
	must(t, err)
	if !bytes.Equal(one, two) {
		t.Errorf("intermixed: %s and %s", one, two)
	}
	for writer := range writers {
		last := fmt.Sprintf("%d-%d", writer, rounds-1)
		if got, err := store.Get(fmt.Sprintf("own-%d", writer)); err != nil || string(got) != last {
			t.Errorf("writer %d: %q, %v, want %s", writer, got, err, last)
		}
	}
}

func wantItems(t *testing.T, store keystore.Store, want map[string][]byte) {
	t.Helper()
	names, err := store.List()
	must(t, err)
	if len(names) != len(want) || !slices.IsSorted(names) {
		t.Errorf("List = %q, want %d sorted names", names, len(want))
	}
	for name, data := range want {
		got, err := store.Get(name)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("Get(%.20s) = %.20q, %v, want %.20q", name, got, err, data)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
