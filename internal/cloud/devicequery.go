package cloud

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// DeviceQuery is a filter of devices that a user saved under a name.
type DeviceQuery struct {
	ID        string
	AccountID string
	Name      string
	Query     string // a query string of conditions, meant for ParseFilterText
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Lengths in characters.
const (
	maxQueryName = 200
	maxQueryText = 1000
)

// DeviceQueryFields may be filtered in lists of device queries.
func DeviceQueryFields() Fields {
	return Fields{
		"id":         {Kind: ID, Operators: equality},
		"name":       {Kind: Text, Operators: equality},
		"query":      {Kind: Text, Operators: equality},
		"created_at": {Kind: Time, Operators: order},
		"updated_at": {Kind: Time, Operators: order},
		"etag":       {Kind: Time, Operators: order},
	}
}

// DeviceQueries lists the account's saved queries.
func (s *Service) DeviceQueries(ctx context.Context, who Principal, query Query) (Page[*DeviceQuery], error) {
	return s.store.DeviceQueries(ctx, who.AccountID, query)
}

// DeviceQuery reads a saved query.
func (s *Service) DeviceQuery(ctx context.Context, who Principal, id string) (*DeviceQuery, error) {
	return ownQuery(ctx, s.store, who, id)
}

func ownQuery(ctx context.Context, r Reader, who Principal, id string) (*DeviceQuery, error) {
	saved, err := r.DeviceQuery(ctx, id)
	if err != nil {
		return nil, err
	}
	if saved.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return saved, nil
}

// CreateDeviceQuery saves a query. It returns ErrInvalid for one that is no
// query string.
func (s *Service) CreateDeviceQuery(ctx context.Context, who Principal, name, query string) (*DeviceQuery, error) {
	if err := checkQuery(name, query); err != nil {
		return nil, err
	}
	now := s.now()
	saved := &DeviceQuery{ID: s.ids.New(), AccountID: who.AccountID, Name: name, Query: query, CreatedAt: now, UpdatedAt: now}
	auditNew(ctx, saved.ID)
	err := s.store.Update(ctx, func(w Writer) error { return w.InsertDeviceQuery(ctx, saved) })
	return saved, err
}

// UpdateDeviceQuery replaces a saved query.
func (s *Service) UpdateDeviceQuery(ctx context.Context, who Principal, id, name, query string) (saved *DeviceQuery, err error) {
	if err := checkQuery(name, query); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if saved, err = ownQuery(ctx, w, who, id); err != nil {
			return err
		}
		saved.Name, saved.Query, saved.UpdatedAt = name, query, s.now()
		return w.UpdateDeviceQuery(ctx, saved)
	})
	return saved, err
}

// DeleteDeviceQuery forgets a saved query.
func (s *Service) DeleteDeviceQuery(ctx context.Context, who Principal, id string) error {
	return s.store.Update(ctx, func(w Writer) error {
		if _, err := ownQuery(ctx, w, who, id); err != nil {
			return err
		}
		return w.DeleteDeviceQuery(ctx, id)
	})
}

func checkQuery(name, query string) error {
	if strings.TrimSpace(name) == "" {
		return RefuseField("name", "is missing")
	}
	if err := checkText("name", name, maxQueryName); err != nil {
		return err
	}
	if utf8.RuneCountInString(query) > maxQueryText {
		return RefuseField("query", "is longer than %d characters", maxQueryText)
	}
	if query == "" {
		return RefuseField("query", "is missing")
	}
	// Clients save filters with names of their own for fields; only whoever
	// uses one needs to understand it.
	if _, err := readQuery(query); err != nil {
		return RefuseField("query", "is not a query string")
	}
	return nil
}
