package cloud

import (
	"context"
	"errors"
)

// cutOff are devices that must not stay connected once what is being done to
// them is committed.
type cutOff struct {
	devices    []*Device
	registered []*Device // those of them whose registrations end
}

// add takes in a device as it is before its registration ends.
func (c *cutOff) add(ctx context.Context, r Reader, device *Device) error {
	registered, err := isRegistered(ctx, r, device.ID)
	if err != nil {
		return err
	}
	c.devices = append(c.devices, device)
	if registered {
		c.registered = append(c.registered, device)
	}
	return nil
}

func isRegistered(ctx context.Context, r Reader, deviceID string) (bool, error) {
	_, err := r.Registration(ctx, deviceID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// disconnect tells the watcher whose registrations have ended and closes the
// devices' sessions.
func (s *Service) disconnect(cut cutOff) {
	for _, device := range cut.registered {
		s.watcher.RegistrationEnded(device.identity(), Deregistered)
	}
	for _, device := range cut.devices {
		s.connections.Disconnect(device.ID)
	}
}

// endRegistrationsUnder ends the registrations of a certificate's devices.
func (s *Service) endRegistrationsUnder(ctx context.Context, w Writer, certificate *TrustedCertificate, cut *cutOff) error {
	err := eachDeviceUnder(ctx, w, certificate, func(device *Device) error { return cut.add(ctx, w, device) })
	if err != nil {
		return err
	}
	for _, device := range cut.registered {
		if err := s.endRegistration(ctx, w, device, EventDeregistration); err != nil {
			return err
		}
	}
	return nil
}

// eachDeviceUnder does something to every device that came with a certificate.
func eachDeviceUnder(ctx context.Context, r Reader, certificate *TrustedCertificate, do func(*Device) error) error {
	query := Query{Conditions: []Condition{where("ca_id", certificate.ID)}, Limit: 500}
	for {
		page, err := r.Devices(ctx, certificate.AccountID, query)
		if err != nil {
			return err
		}
		for _, device := range page.Items {
			if err := do(device); err != nil {
				return err
			}
			query.After = device.ID
		}
		if !page.HasMore {
			return nil
		}
	}
}
