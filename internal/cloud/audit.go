package cloud

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"mbl/internal/objectid"
)

// AuditRecord says who did what, when and from where. It holds no secrets: not
// what a thing was changed to, but which thing.
type AuditRecord struct {
	ID         string
	AccountID  string
	KeyID      string // the API key that asked; empty for the command line
	KeyName    string // what it was called then
	RemoteAddr string // where it asked from; CommandLine for the command line
	Action     string
	ObjectID   string // what it was done to; empty if that is the account
	At         time.Time
}

// CommandLine is where changes come from that are made beside the service.
const CommandLine = "command line"

// How much is kept.
const (
	auditRetention  = 400 * 24 * time.Hour
	maxAuditRecords = 1_000_000
)

// audit is a request of a user on its way: the first change it makes is
// recorded in the same transaction.
type audit struct {
	who      Principal
	from     string
	action   string
	objectID string
	recorded atomic.Bool
}

type auditKey struct{}

// WithAudit marks a request of a user, so that what it changes is recorded.
// objectID is what it is about, if that is known beforehand.
func WithAudit(ctx context.Context, who Principal, from, action, objectID string) context.Context {
	return context.WithValue(ctx, auditKey{}, &audit{who: who, from: from, action: action, objectID: objectID})
}

// auditNew says which thing a request has made.
func auditNew(ctx context.Context, objectID string) {
	if request, is := ctx.Value(auditKey{}).(*audit); is {
		request.objectID = objectID
	}
}

// auditRecord makes the record of what is done in other words than the
// request's own. Whoever calls it writes it.
func (s *Service) auditRecord(who Principal, action, objectID string) *AuditRecord {
	return s.newAuditRecord(&audit{who: who, action: action, objectID: objectID})
}

// auditCommand records in the account made at first start what was done on the
// command line.
func (s *Service) auditCommand(ctx context.Context, w Writer, action, objectID string) error {
	account, err := w.FirstAccount(ctx)
	if err != nil {
		return err
	}
	record := s.auditRecord(Principal{AccountID: account.ID}, action, objectID)
	record.RemoteAddr = CommandLine
	return w.InsertAuditRecord(ctx, record)
}

func (s *Service) newAuditRecord(request *audit) *AuditRecord {
	now := s.now()
	return &AuditRecord{
		ID:         s.ids.New(),
		AccountID:  request.who.AccountID,
		KeyID:      request.who.KeyID,
		KeyName:    request.who.KeyName,
		RemoteAddr: request.from,
		Action:     request.action,
		ObjectID:   request.objectID,
		At:         now,
	}
}

// auditedStore records the changes of requests that are marked.
type auditedStore struct {
	Store
	service *Service
}

// Update implements Store.
func (s *auditedStore) Update(ctx context.Context, change func(Writer) error) error {
	request, is := ctx.Value(auditKey{}).(*audit)
	if !is {
		return s.Store.Update(ctx, change)
	}
	err := s.Store.Update(ctx, func(w Writer) error {
		audited := &auditedWriter{Writer: w, from: request.from}
		err := change(audited)
		if err != nil || request.recorded.Load() || audited.recorded {
			return err
		}
		return w.InsertAuditRecord(ctx, s.service.newAuditRecord(request))
	})
	if err == nil {
		request.recorded.Store(true)
	}
	return err
}

// auditedWriter lets a change write its own record, in better words.
type auditedWriter struct {
	Writer
	from     string
	recorded bool
}

// InsertAuditRecord implements AuditWriter.
func (w *auditedWriter) InsertAuditRecord(ctx context.Context, record *AuditRecord) error {
	record.RemoteAddr, w.recorded = w.from, true
	return w.Writer.InsertAuditRecord(ctx, record)
}

// AuditRecords shows what was done in the account made at first start since a
// time, oldest first, to whoever has the service's data at hand.
func (s *Service) AuditRecords(ctx context.Context, since time.Time, show func(*AuditRecord) error) error {
	account, err := s.store.FirstAccount(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	first := Condition{Field: "id", Operator: GreaterEqual, Values: []any{objectid.First(since)}}
	query := Query{Limit: 1000, Conditions: []Condition{first}}
	for {
		page, err := s.store.AuditRecords(ctx, account.ID, query)
		if err != nil {
			return err
		}
		for _, record := range page.Items {
			if err := show(record); err != nil {
				return err
			}
			query.After = record.ID
		}
		if !page.HasMore {
			return nil
		}
	}
}

// ForgetOldAudit deletes the audit records that are older, or more, than is
// kept.
func (s *Service) ForgetOldAudit(ctx context.Context) error {
	before := s.now().Add(-auditRetention)
	return s.store.Update(ctx, func(w Writer) error {
		_, err := w.DeleteAuditRecords(ctx, before, maxAuditRecords)
		return err
	})
}
