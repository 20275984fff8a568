package openssl

import (
	"context"
	"time"
)

// SessionStore keeps TLS sessions for clients to resume, beyond a restart if it
// can. Sessions hold secrets of connections. It may be used by many goroutines.
type SessionStore interface {
	// Session returns the session with an id, nil when there is none.
	Session(ctx context.Context, id []byte) ([]byte, error)
	// SaveSession keeps one until it expires, or less long.
	SaveSession(ctx context.Context, id, session []byte, expires time.Time) error
	// DeleteSession forgets one, known or not.
	DeleteSession(ctx context.Context, id []byte) error
}

// offerSession lets the client resume the session it asks for, unless its
// certificate would not be let in any more. Whatever goes wrong here, a full
// handshake follows and decides.
func (a *admission) offerSession(ctx context.Context, id []byte) {
	sessions := a.l.cfg.Sessions
	if sessions == nil || len(id) == 0 {
		return
	}
	session, err := sessions.Session(ctx, id)
	switch {
	case err != nil:
		a.l.cfg.Log.Error("cannot look up a TLS session", "error", err)
		return
	case session == nil:
		return
	}
	if err := a.tls.offer(session, func(der []byte) error { return a.approve(ctx, [][]byte{der}) }); err != nil {
		a.l.cfg.Log.Debug("TLS session forgotten", "error", err)
		a.l.deleteSession(ctx, id)
	}
}

func (a *admission) saveSession(ctx context.Context, reached state) {
	if a.l.cfg.Sessions == nil || len(reached.sessionID) == 0 {
		return
	}
	expires := time.Now().Add(a.l.cfg.SessionLifetime)
	if err := a.l.cfg.Sessions.SaveSession(ctx, reached.sessionID, reached.session, expires); err != nil {
		a.l.cfg.Log.Error("cannot save a TLS session", "error", err)
	}
}

func (l *Listener) deleteSession(ctx context.Context, id []byte) {
	if err := l.cfg.Sessions.DeleteSession(ctx, id); err != nil {
		l.cfg.Log.Error("cannot delete a TLS session", "error", err)
	}
}

// forgetting is what a connection does when its TLS fails: such a session must
// not be resumed (RFC 5246 §7.2.2).
func (l *Listener) forgetting(id []byte) func(context.Context) {
	if l.cfg.Sessions == nil {
		return func(context.Context) {}
	}
	return func(ctx context.Context) { l.deleteSession(ctx, id) }
}
