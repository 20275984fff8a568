package cloud

import "context"

// Watcher is told of changes to registrations and API keys, of each once it is
// committed. It must be quick: devices wait for it.
type Watcher interface {
	Registered(record *RegistrationRecord)
	RegistrationUpdated(record *RegistrationRecord)
	RegistrationEnded(device Identity, why Ending)
	KeyChanged(keyID string, change KeyChange)
}

// Ending is why a registration ended.
type Ending int

// The reasons.
const (
	Deregistered Ending = iota // by the device, or because its credentials do not count any more
	Expired
	Suspended
)

// KeyChange is what became of an API key.
type KeyChange int

// The changes.
const (
	KeyReset    KeyChange = iota // it has another secret
	KeyDisabled                  // it cannot be used
	KeyDeleted
)

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

// DeviceRegistration reads the registration of a device of any account. It
// returns ErrNotFound if the device is not registered.
func (s *Service) DeviceRegistration(ctx context.Context, deviceID string) (*RegistrationRecord, error) {
	return s.store.Registration(ctx, deviceID)
}

type nobodyWatches struct{}

func (nobodyWatches) Registered(*RegistrationRecord) {}

func (nobodyWatches) RegistrationUpdated(*RegistrationRecord) {}

func (nobodyWatches) RegistrationEnded(Identity, Ending) {}

func (nobodyWatches) KeyChanged(string, KeyChange) {}
