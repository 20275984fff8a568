package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"mbl/e2e/stage"
)

const (
	listedOften = 200 // times each list is asked for
	sameRoom    = 10  // entries with one value of the attribute
)

// directory is a service with entries in its device directory that no device
// has come for: lists do not tell them apart.
type directory struct {
	*stage.Service
	channel *stage.Channel
	middle  string // id of an entry that lies so
}

// listing holds lists of a large directory against those of a small one.
func listing(ctx context.Context, dir string) ([]result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	few, err := newDirectory(ctx, filepath.Join(dir, "few"), handful)
	if err != nil {
		return nil, err
	}
	defer few.Kill()
	many, err := newDirectory(ctx, filepath.Join(dir, "many"), tenThousand)
	if err != nil {
		return nil, err
	}
	defer many.Kill()
	var rows []result
	for _, list := range []struct {
		what  string
		query func(*directory) url.Values
	}{
		{"a page of 50 in the middle of the directory", func(d *directory) url.Values { return url.Values{"after": {d.middle}} }},
		{"devices by name", func(*directory) url.Values { return url.Values{"name__eq": {"entry 7"}} }},
		{"devices by a custom attribute", func(*directory) url.Values { return url.Values{"custom_attributes__room__eq": {"same"}} }},
	} {
		ask := func(d *directory) func(context.Context) error {
			path := "/v3/devices?" + list.query(d).Encode()
			return func(ctx context.Context) error { return d.channel.Get(ctx, path, &struct{}{}) }
		}
		large, small, err := inTurns(ctx, listedOften, ask(many), ask(few))
		if err != nil {
			return nil, err
		}
		rows = append(rows, result{
			what:  list.what,
			ours:  fmt.Sprintf("%.2f ms of %d", inMilliseconds(large), tenThousand),
			bare:  fmt.Sprintf("%.2f ms of %d", inMilliseconds(small), handful),
			ratio: float64(large) / float64(small),
			goal:  atMost(1.5),
			how:   fmt.Sprintf("medians of %d requests, in turns, one at a time", listedOften),
		})
	}
	return rows, nil
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func newDirectory(ctx context.Context, dir string, entries int) (*directory, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	service, err := stage.StartService(program("mbl-cloud"), filepath.Join(dir, "data"), stage.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	d := &directory{Service: service}
	if err := d.fill(ctx, entries); err != nil {
		service.Kill()
		return nil, err
	}
	return d, nil
}

func (d *directory) fill(ctx context.Context, entries int) error {
	key, err := d.NewKey("bench", "administrators")
	if err != nil {
		return err
	}
	d.channel = d.OpenChannel(ctx, key)
	var next atomic.Int64
	_, err = rate(ctx, entries, askedAtOnce, func(ctx context.Context) error {
		number := int(next.Add(1)) - 1
		room := fmt.Sprint(number)
		if number < sameRoom {
			room = "same"
		}
		var made struct {
			ID string `json:"id"`
		}
		body := map[string]any{"name": fmt.Sprintf("entry %d", number), "custom_attributes": map[string]string{"room": room}}
		if err := d.channel.Post(ctx, "/v3/devices", body, &made); err != nil {
			return err
		}
		if number == entries/2 {
			d.middle = made.ID
		}
		return nil
	})
	return err
}
