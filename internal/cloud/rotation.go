package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The authorities of the device servers that were rotated: devices keep one
// certificate a server and trust nothing else, so servers go on presenting
// certificates of the earlier authority, on the ports those devices know.
const (
	EarlierBootstrapAuthority AuthorityName = "bootstrap-earlier"
	EarlierLwM2MAuthority     AuthorityName = "lwm2m-earlier"
)

// earlier names where the authorities that devices trust are kept once they
// are rotated. All others are simply replaced.
var earlier = map[AuthorityName]AuthorityName{
	BootstrapAuthority: EarlierBootstrapAuthority,
	LwM2MAuthority:     EarlierLwM2MAuthority,
}

// AuthorityNames are the authorities that every service has.
func AuthorityNames() []AuthorityName {
	return []AuthorityName{DeviceAuthority, IdentityAuthority, BootstrapAuthority, LwM2MAuthority, HTTPSAuthority}
}

// Earlier is the name under which an authority is kept once it is rotated;
// empty if it is simply replaced.
func (n AuthorityName) Earlier() AuthorityName { return earlier[n] }

// AuthorityState is an authority and how far its rotation has come.
type AuthorityState struct {
	Name        AuthorityName
	Certificate []byte // DER
	CreatedAt   time.Time
	Devices     int // devices that hold an earlier certificate; counted for EarlierLwM2MAuthority alone
}

// AuthorityStates lists the authorities, each earlier one behind the one in
// its place. It needs no Prepare; before the first one the list is empty.
func (s *Service) AuthorityStates(ctx context.Context) ([]AuthorityState, error) {
	var states []AuthorityState
	for _, present := range AuthorityNames() {
		for _, name := range []AuthorityName{present, present.Earlier()} {
			record, err := s.store.Authority(ctx, name)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			state := AuthorityState{Name: name, Certificate: record.Certificate, CreatedAt: record.CreatedAt}
			if name == EarlierLwM2MAuthority {
				if state.Devices, err = s.devicesUnderEarlier(ctx, s.store); err != nil {
					return nil, err
				}
			}
			states = append(states, state)
		}
	}
	return states, nil
}

// devicesUnderEarlier counts the devices that were given the earlier LwM2M
// authority's certificate: those whose own was issued before the present one
// was made.
func (s *Service) devicesUnderEarlier(ctx context.Context, r Reader) (int, error) {
	present, err := r.Authority(ctx, LwM2MAuthority)
	if err != nil {
		return 0, err
	}
	return r.CountActiveCertificates(ctx, present.CreatedAt)
}

// RotateAuthority makes a new key and certificate for an authority. The
// service must not be serving: it would go on with the old ones. It returns
// ErrNotFound for an unknown name or before the first Prepare, and ErrConflict
// if an earlier authority is still kept.
func (s *Service) RotateAuthority(ctx context.Context, name AuthorityName) error {
	if !slices.Contains(AuthorityNames(), name) {
		return Refuse(ErrNotFound, "there is no authority %q", name)
	}
	return s.store.Update(ctx, func(w Writer) error {
		old, err := w.Authority(ctx, name)
		if err != nil {
			return err
		}
		if _, err := s.openAuthority(old); err != nil {
			return err // with another seal key than the service's, the new one would be lost to it
		}
		if err := w.DeleteAuthority(ctx, name); err != nil {
			return err
		}
		if err := s.keepEarlier(ctx, w, old); err != nil {
			return err
		}
		if _, err = s.authorityRecord(ctx, w, name); err != nil {
			return err
		}
		return s.auditCommand(ctx, w, "rotate authority", string(name))
	})
}

// keepEarlier keeps an authority that devices trust under its other name.
func (s *Service) keepEarlier(ctx context.Context, w Writer, old *AuthorityRecord) error {
	name := old.Name.Earlier()
	if name == "" {
		return nil
	}
	if _, err := w.Authority(ctx, name); !errors.Is(err, ErrNotFound) {
		return errors.Join(err, Refuse(ErrConflict, "the one before is still kept as %s", name))
	}
	key, err := s.openPrivateKey(old.SealedKey, authorityLabel(old.Name))
	if err != nil {
		return err
	}
	kept := *old
	kept.Name = name
	if kept.SealedKey, err = s.sealPrivateKey(key, authorityLabel(name)); err != nil {
		return err
	}
	return w.InsertAuthority(ctx, &kept)
}

// RetireAuthority forgets the earlier authority behind name. The service must
// not be serving. It returns ErrNotFound if there is none, and ErrConflict if
// devices still depend on it and abandon is false.
func (s *Service) RetireAuthority(ctx context.Context, name AuthorityName, abandon bool) error {
	return s.store.Update(ctx, func(w Writer) error {
		if _, err := w.Authority(ctx, name.Earlier()); err != nil {
			return err
		}
		if name == LwM2MAuthority && !abandon {
			devices, err := s.devicesUnderEarlier(ctx, w)
			if err != nil {
				return err
			}
			if devices > 0 {
				return Refuse(ErrConflict, "devices that trust only the earlier one: %d", devices)
			}
		}
		if err := w.DeleteAuthority(ctx, name.Earlier()); err != nil {
			return err
		}
		return s.auditCommand(ctx, w, "retire authority", string(name.Earlier()))
	})
}

// openEarlier opens the earlier authorities that are kept.
func (s *Service) openEarlier(ctx context.Context, r Reader, opened authorities) error {
	for _, name := range earlier {
		record, err := r.Authority(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if opened[name], err = s.openAuthority(record); err != nil {
			return fmt.Errorf("the authority %s: %w", name, err)
		}
	}
	return nil
}

// HasAuthority tells whether an authority is there to issue certificates; an
// earlier one is there only after a rotation. It needs Prepare.
func (s *Service) HasAuthority(name AuthorityName) bool { return s.authorities[name] != nil }
