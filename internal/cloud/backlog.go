package cloud

import (
	"context"
	"fmt"
	"time"
)

// Backlog is what waits for an API key while the service does not run: events
// that were not delivered, requests that their devices have not got.
type Backlog struct {
	AccountID string // of the key; only read
	KeyID     string
	SavedAt   time.Time // only read
	Body      []byte    // package connect knows what it says
}

// BacklogRecord is a backlog at rest. It is sealed: what is written to devices
// may be secret.
type BacklogRecord struct {
	AccountID string // of the key; only read
	KeyID     string
	Sealed    []byte
	SavedAt   time.Time
}

// SaveBacklogs keeps what waits, in place of what an earlier run has left.
// Keys that were deleted have none.
func (s *Service) SaveBacklogs(ctx context.Context, backlogs []Backlog) error {
	now := s.now()
	err := s.store.Update(ctx, func(w Writer) error {
		if err := w.DeleteBacklogRecords(ctx); err != nil {
			return err
		}
		for _, backlog := range backlogs {
			record := BacklogRecord{KeyID: backlog.KeyID, Sealed: s.sealKey.Seal(backlog.Body, backlogLabel(backlog.KeyID)), SavedAt: now}
			if err := w.SaveBacklogRecord(ctx, record); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot keep what waits for API keys: %w", err)
	}
	return nil
}

// TakeBacklogs returns what was saved, once: it is for its keys now.
func (s *Service) TakeBacklogs(ctx context.Context) ([]Backlog, error) {
	var records []BacklogRecord
	err := s.store.Update(ctx, func(w Writer) (err error) {
		if records, err = w.BacklogRecords(ctx); err != nil || len(records) == 0 {
			return err
		}
		return w.DeleteBacklogRecords(ctx)
	})
	if err != nil {
		return nil, err
	}
	backlogs := make([]Backlog, 0, len(records))
	for _, record := range records {
		body, err := s.sealKey.Open(record.Sealed, backlogLabel(record.KeyID))
		if err != nil {
			s.log.ErrorContext(ctx, "cannot open what waits for an API key", "key", record.KeyID, "error", err)
			continue
		}
		backlogs = append(backlogs, Backlog{record.AccountID, record.KeyID, record.SavedAt, body})
	}
	return backlogs, nil
}

func backlogLabel(keyID string) string { return "backlog " + keyID }
