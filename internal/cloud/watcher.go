package cloud

import "context"

// Watcher is told of registrations, of each change once it is committed. It
// must be quick: devices wait for it.
type Watcher interface {
	Registered(record *RegistrationRecord)
	RegistrationUpdated(record *RegistrationRecord)
	RegistrationEnded(accountID, deviceID string, expired bool)
}

// UseWatcher gives the Service somebody to tell. Call it before the first
// device can connect.
func (s *Service) UseWatcher(watcher Watcher) { s.watcher = watcher }

// Registration reads the registration of a device of the caller's account. It
// returns ErrNotFound if the device is not registered.
func (s *Service) Registration(ctx context.Context, who Principal, deviceID string) (*RegistrationRecord, error) {
	record, err := s.store.Registration(ctx, deviceID)
	if err != nil {
		return nil, err
	}
	if record.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return record, nil
}

type nobodyWatches struct{}

func (nobodyWatches) Registered(*RegistrationRecord) {}

func (nobodyWatches) RegistrationUpdated(*RegistrationRecord) {}

func (nobodyWatches) RegistrationEnded(string, string, bool) {}
