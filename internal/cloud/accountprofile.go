package cloud

import (
	"context"
	"reflect"
	"regexp"
)

// AccountProfile is what users say of their account; nothing in the service
// depends on it. Its JSON is that of the API and of the store; nil and absent
// is what nobody has said.
type AccountProfile struct {
	AddressLine1               *string           `json:"address_line1,omitempty"`
	AddressLine2               *string           `json:"address_line2,omitempty"`
	Aliases                    []string          `json:"aliases,omitempty"`
	City                       *string           `json:"city,omitempty"`
	Company                    *string           `json:"company,omitempty"`
	Contact                    *string           `json:"contact,omitempty"`
	Country                    *string           `json:"country,omitempty"`
	CustomFields               map[string]string `json:"custom_fields,omitempty"`
	Email                      *string           `json:"email,omitempty"`
	EndMarket                  *string           `json:"end_market,omitempty"`
	ExpirationWarningThreshold *int              `json:"expiration_warning_threshold,omitempty"` // days
	IdleTimeout                *int              `json:"idle_timeout,omitempty"`                 // minutes
	MFAStatus                  *string           `json:"mfa_status,omitempty"`
	NotificationEmails         []string          `json:"notification_emails,omitempty"`
	PasswordPolicy             *PasswordPolicy   `json:"password_policy,omitempty"`
	PasswordRecoveryExpiration *int              `json:"password_recovery_expiration,omitempty"` // minutes
	PhoneNumber                *string           `json:"phone_number,omitempty"`
	PostalCode                 *string           `json:"postal_code,omitempty"`
	State                      *string           `json:"state,omitempty"`
}

// PasswordPolicy is kept for clients that set one; this service has no
// passwords.
type PasswordPolicy struct {
	MinimumLength int `json:"minimum_length"`
}

// AccountChanges are what a caller says of the account; nil leaves a field as
// it is.
type AccountChanges struct {
	DisplayName *string
	Profile     AccountProfile
}

// Limits of a profile, in characters and items.
const (
	maxAccountText        = 100
	maxAliases            = 10
	maxCustomFields       = 10
	maxNotificationEmails = 100
)

var (
	aliasText = regexp.MustCompile(`^[\w\-._]{8,100}$`)
	emailText = regexp.MustCompile(`^.+@.+$`)
)

// UpdateAccount changes the account's profile. It returns ErrForbidden for
// callers who are no administrators.
func (s *Service) UpdateAccount(ctx context.Context, who Principal, changes AccountChanges) (account *Account, err error) {
	if !who.Administrator {
		return nil, Refuse(ErrForbidden, "only administrators change the account")
	}
	if err := changes.check(); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if account, err = w.Account(ctx, who.AccountID); err != nil {
			return err
		}
		if changes.DisplayName != nil {
			account.DisplayName = *changes.DisplayName
		}
		account.Profile.take(changes.Profile)
		account.Version++
		account.UpdatedAt = s.now()
		return w.UpdateAccount(ctx, account)
	})
	return account, err
}

// take replaces what the changes say.
func (p *AccountProfile) take(changes AccountProfile) {
	mine, said := reflect.ValueOf(p).Elem(), reflect.ValueOf(changes)
	for i := range said.NumField() {
		if !said.Field(i).IsNil() {
			mine.Field(i).Set(said.Field(i))
		}
	}
}

func (c AccountChanges) check() error {
	p := c.Profile
	for name, text := range map[string]*string{
		"address_line1": p.AddressLine1, "address_line2": p.AddressLine2, "city": p.City, "company": p.Company, "contact": p.Contact,
		"country": p.Country, "display_name": c.DisplayName, "end_market": p.EndMarket, "phone_number": p.PhoneNumber,
		"postal_code": p.PostalCode, "state": p.State,
	} {
		if text == nil {
			continue
		}
		if err := checkText(name, *text, maxAccountText); err != nil {
			return err
		}
	}
	if p.Email != nil {
		if err := checkEmail("email", *p.Email); err != nil {
			return err
		}
	}
	if p.MFAStatus != nil && *p.MFAStatus != "enforced" && *p.MFAStatus != "optional" {
		return RefuseField("mfa_status", "is neither enforced nor optional")
	}
	if err := p.checkNumbers(); err != nil {
		return err
	}
	return p.checkLists()
}

func (p AccountProfile) checkNumbers() error {
	numbers := []struct {
		name        string
		value       *int
		least, most int
	}{
		{"expiration_warning_threshold", p.ExpirationWarningThreshold, 1, 180},
		{"idle_timeout", p.IdleTimeout, 1, 120},
		{"password_recovery_expiration", p.PasswordRecoveryExpiration, 1, 45},
	}
	if p.PasswordPolicy != nil {
		numbers = append(numbers, struct {
			name        string
			value       *int
			least, most int
		}{"password_policy", &p.PasswordPolicy.MinimumLength, 8, 512})
	}
	for _, number := range numbers {
		if number.value != nil && (*number.value < number.least || *number.value > number.most) {
			return RefuseField(number.name, "is not between %d and %d", number.least, number.most)
		}
	}
	return nil
}

func (p AccountProfile) checkLists() error {
	if len(p.Aliases) > maxAliases {
		return RefuseField("aliases", "are more than %d", maxAliases)
	}
	for _, alias := range p.Aliases {
		if !aliasText.MatchString(alias) {
			return RefuseField("aliases", "are 8 to 100 letters, digits, dashes, dots and underscores each")
		}
	}
	if len(p.NotificationEmails) > maxNotificationEmails {
		return RefuseField("notification_emails", "are more than %d", maxNotificationEmails)
	}
	for _, email := range p.NotificationEmails {
		if err := checkEmail("notification_emails", email); err != nil {
			return err
		}
	}
	if len(p.CustomFields) > maxCustomFields {
		return RefuseField("custom_fields", "are more than %d", maxCustomFields)
	}
	for name, value := range p.CustomFields {
		if err := checkText("custom_fields", name+value, 2*maxDeviceText); err != nil {
			return err
		}
	}
	return nil
}

func checkEmail(field, email string) error {
	if len(email) < 3 || len(email) > 254 || !emailText.MatchString(email) || !printable(email) {
		return RefuseField(field, "is not an e-mail address")
	}
	return nil
}
