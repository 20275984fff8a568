package connect

import "mbl/internal/cloud"

// Registered implements cloud.Watcher. What was subscribed of the device by
// hand ends; rules count anew.
func (s *Service) Registered(record *cloud.RegistrationRecord) {
	s.values.forget(record.DeviceID)
	s.channels.toAccount(record.AccountID, func() *Message { return &Message{Registrations: []Endpoint{newEndpoint(record)}} })
	s.heard(record.DeviceID, true)
	s.interests.mu.Lock()
	delete(s.interests.manual, record.DeviceID)
	delete(s.interests.devices, record.DeviceID)
	s.interests.mu.Unlock()
	s.takeUp(record)
}

// RegistrationUpdated implements cloud.Watcher. A device that has come back on
// another session is asked anew to report what it reported before.
func (s *Service) RegistrationUpdated(record *cloud.RegistrationRecord) {
	s.channels.toAccount(record.AccountID, func() *Message { return &Message{RegUpdates: []Endpoint{newEndpoint(record)}} })
	s.heard(record.DeviceID, true)
	s.takeUp(record)
}

// takeUp has a device report of what is wanted of it. Devices of which nothing
// is wanted are not kept in mind.
func (s *Service) takeUp(record *cloud.RegistrationRecord) {
	s.interests.mu.Lock()
	known := s.interests.devices[record.DeviceID] != nil || len(s.interests.rules) > 0 || len(s.interests.manual[record.DeviceID]) > 0
	if known {
		s.interests.watch(record)
	}
	s.interests.mu.Unlock()
	if known {
		s.establish(record.DeviceID)
	}
}

// RegistrationEnded implements cloud.Watcher.
func (s *Service) RegistrationEnded(device cloud.Identity, why cloud.Ending) {
	s.values.forget(device.DeviceID)
	s.channels.toAccount(device.AccountID, func() *Message {
		gone := []Departure{{ID: device.DeviceID, OriginalName: device.EndpointName}}
		if why == cloud.Expired {
			return &Message{RegistrationsExpired: gone}
		}
		return &Message{DeRegistrations: gone}
	})
	s.clear(device.DeviceID, why)
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	delete(s.interests.manual, device.DeviceID)
	delete(s.interests.devices, device.DeviceID)
}

// KeyChanged implements cloud.Watcher. A reset is what a leaked secret calls
// for, and whoever had it may have set the callback: it ends, and so do requests
// that wait for devices. The other channels stay, since they deliver only to who
// shows the new secret.
func (s *Service) KeyChanged(keyID string, change cloud.KeyChange) {
	s.cancel(keyID)
	s.channels.unplugKey(keyID)
	ending := []ChannelKind{Callback}
	if change != cloud.KeyReset {
		ending = append(ending, NoChannel, LongPoll, Websocket)
	}
	ended := s.channels.drop(keyID, nil, ending...)
	if change == cloud.KeyDisabled || change == cloud.KeyReset && ended { // what a deleted key had is deleted with it
		s.forgetChannel(keyID)
	}
	if change == cloud.KeyDeleted {
		s.interests.mu.Lock()
		s.interests.removeKey(keyID)
		s.interests.mu.Unlock()
	}
}
