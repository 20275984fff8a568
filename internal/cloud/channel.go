package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ChannelKind is how a registered notification channel delivers.
type ChannelKind string

// The kinds that outlive a restart. (A long poll makes its channel itself.)
const (
	CallbackChannel  ChannelKind = "callback"
	WebsocketChannel ChannelKind = "websocket"
)

// Channel is a registered notification channel of an API key.
type Channel struct {
	AccountID string // of the key; only read
	KeyID     string
	Kind      ChannelKind
	Settings  ChannelSettings
}

// ChannelSettings are how a channel delivers. URL and headers may hold
// secrets: they are stored sealed and belong into no log.
type ChannelSettings struct {
	URL           string            `json:"url,omitempty"`     // of a callback
	Headers       map[string]string `json:"headers,omitempty"` // of a callback
	Serialization json.RawMessage   `json:"serialization,omitempty"`
}

// ChannelRecord is a channel at rest.
type ChannelRecord struct {
	AccountID string // of the key; only read
	KeyID     string
	Kind      ChannelKind
	Sealed    []byte // the settings
	ChangedAt time.Time
}

// Channels are the registered channels of all API keys.
func (s *Service) Channels(ctx context.Context) ([]Channel, error) {
	records, err := s.store.ChannelRecords(ctx)
	if err != nil {
		return nil, err
	}
	channels := make([]Channel, len(records))
	for i, record := range records {
		channels[i] = Channel{AccountID: record.AccountID, KeyID: record.KeyID, Kind: record.Kind}
		plain, err := s.sealKey.Open(record.Sealed, channelLabel(record.KeyID))
		if err == nil {
			err = json.Unmarshal(plain, &channels[i].Settings)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot open the notification channel of key %s: %w", record.KeyID, err)
		}
	}
	return channels, nil
}

// SaveChannel keeps the caller's channel over a restart, in place of an earlier
// one of the same key. It returns ErrUnauthorized if the key was disabled,
// deleted or given another secret since the caller showed it: channels take
// time to try.
func (s *Service) SaveChannel(ctx context.Context, who Principal, kind ChannelKind, settings ChannelSettings) error {
	plain, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	record := ChannelRecord{
		KeyID: who.KeyID, Kind: kind, Sealed: s.sealKey.Seal(plain, channelLabel(who.KeyID)), ChangedAt: s.now(),
	}
	return s.store.Update(ctx, func(w Writer) error {
		if err := checkStillValid(ctx, w, who); err != nil {
			return err
		}
		return w.SaveChannelRecord(ctx, record)
	})
}

// checkStillValid looks once more whether the caller's key is good.
func checkStillValid(ctx context.Context, r Reader, who Principal) error {
	key, err := r.APIKey(ctx, who.KeyID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || !key.Active || !bytes.Equal(key.Digest, who.digest[:]) {
		return Refuse(ErrUnauthorized, "the API key is not valid any more")
	}
	return nil
}

// DeleteChannel forgets a key's channel.
func (s *Service) DeleteChannel(ctx context.Context, keyID string) error {
	return s.store.Update(ctx, func(w Writer) error { return w.DeleteChannelRecord(ctx, keyID) })
}

func channelLabel(keyID string) string { return "notification channel " + keyID }
