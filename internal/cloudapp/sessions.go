package cloudapp

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"mbl/internal/atomicfile"
	"mbl/internal/coap/openssl"
	"mbl/internal/sealed"
)

const (
	// mostSessions bounds memory and file at about 1 KiB each.
	mostSessions = 20_000
	// sessionsPeriod is how many sessions a killed service forgets: those of
	// the last minutes. Their devices make full handshakes.
	sessionsPeriod = 5 * time.Minute
	sessionsLabel  = "TLS sessions"
)

// sessionFile keeps the TLS sessions of devices over a restart, sealed.
type sessionFile struct {
	*openssl.Memory
	path string
	key  *sealed.Key
	log  *slog.Logger
}

// openSessions reads what an earlier run has kept. Sessions only save work, so
// a file that cannot be read is no reason not to start.
func (f folder) openSessions(key *sealed.Key, log *slog.Logger) *sessionFile {
	s := &sessionFile{openssl.NewMemory(mostSessions), f.sessions(), key, log}
	if err := s.load(); err != nil {
		log.Warn("TLS sessions are lost; devices make new ones", "error", err)
	}
	return s
}

func (s *sessionFile) load() error {
	box, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	exported, err := s.key.Open(box, sessionsLabel)
	if err != nil {
		return err
	}
	return s.Import(exported)
}

// keep saves the sessions from time to time and when ctx ends.
func (s *sessionFile) keep(ctx context.Context) error {
	ticker := time.NewTicker(sessionsPeriod)
	defer ticker.Stop()
	var saved uint64
	for {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if changes := s.Changes(); changes != saved {
			s.save()
			saved = changes
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (s *sessionFile) save() {
	exported, err := s.Export()
	if err == nil {
		err = atomicfile.Write(s.path, s.key.Seal(exported, sessionsLabel), 0o600)
	}
	if err != nil {
		s.log.Error("cannot keep TLS sessions", "error", err)
	}
}
