package cloud

import (
	"context"
	"time"
)

// User is a person with access to an account. An account of this service has
// one: the administrator, who owns what nobody else owns.
type User struct {
	ID        string
	AccountID string
	Email     string
	Username  string
	FullName  string
	Groups    []string // ids of policy groups
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// noAddress stands where an e-mail address is required and nobody gave one.
const noAddress = "administrator@localhost"

// UserFields may be filtered in lists of users.
func UserFields() Fields {
	return Fields{
		"email":          {Kind: Text, Operators: []Operator{Equal}},
		"status":         {Kind: Text, Operators: []Operator{Equal, In, NotIn}},
		"login_profiles": {Kind: Text, Operators: []Operator{Equal}},
	}
}

func (a *Account) administrator() *User {
	user := &User{
		ID:        a.AdministratorID,
		AccountID: a.ID,
		Email:     noAddress,
		Username:  "administrator",
		FullName:  "Administrator",
		Groups:    []string{a.AdministratorsGroup},
		Version:   a.Version,
		CreatedAt: a.CreatedAt,
		UpdatedAt: a.UpdatedAt,
	}
	if a.Profile.Email != nil {
		user.Email = *a.Profile.Email
	}
	return user
}

func userField(user *User, field string) any {
	switch field {
	case "email":
		return user.Email
	case "status":
		return "ACTIVE"
	default:
		return nil
	}
}

// Users lists the account's users. It returns ErrForbidden for callers who are
// no administrators.
func (s *Service) Users(ctx context.Context, who Principal, query Query) (Page[*User], error) {
	if !who.Administrator {
		return Page[*User]{}, Refuse(ErrForbidden, "only administrators list users")
	}
	account, err := s.Account(ctx, who)
	if err != nil {
		return Page[*User]{}, err
	}
	return listed([]*User{account.administrator()}, query, func(u *User) string { return u.ID }, userField), nil
}

// User reads a user. Callers who are no administrators read the owner of their
// own key.
func (s *Service) User(ctx context.Context, who Principal, id string) (*User, error) {
	if !who.Administrator && id != who.OwnerID {
		return nil, Refuse(ErrForbidden, "only administrators read other users")
	}
	account, err := s.Account(ctx, who)
	if err != nil {
		return nil, err
	}
	if id != account.AdministratorID {
		return nil, ErrNotFound
	}
	return account.administrator(), nil
}
