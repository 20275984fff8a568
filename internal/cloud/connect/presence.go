package connect

import "mbl/internal/cloud"

// Registered implements cloud.Watcher.
func (s *Service) Registered(record *cloud.RegistrationRecord) {
	s.values.forget(record.DeviceID)
	s.channels.toAccount(record.AccountID, &Message{Registrations: []Endpoint{newEndpoint(record)}})
	s.heard(record.DeviceID)
}

// RegistrationUpdated implements cloud.Watcher.
func (s *Service) RegistrationUpdated(record *cloud.RegistrationRecord) {
	s.channels.toAccount(record.AccountID, &Message{RegUpdates: []Endpoint{newEndpoint(record)}})
	s.heard(record.DeviceID)
}

// RegistrationEnded implements cloud.Watcher.
func (s *Service) RegistrationEnded(accountID, deviceID string, expired bool) {
	s.values.forget(deviceID)
	message := &Message{DeRegistrations: []string{deviceID}}
	if expired {
		message = &Message{RegistrationsExpired: []string{deviceID}}
	}
	s.channels.toAccount(accountID, message)
	s.clear(deviceID)
}
