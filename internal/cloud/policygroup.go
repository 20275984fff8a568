package cloud

import (
	"context"
	"errors"
	"slices"
	"time"
)

// PolicyGroup is a group of API keys and users with the same rights. An
// account has two, Administrators and Developers.
type PolicyGroup struct {
	ID        string
	AccountID string
	Name      string
	APIKeys   int // how many are in it
	Users     int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// PolicyGroupFields may be filtered in lists of policy groups.
func PolicyGroupFields() Fields {
	return Fields{"name": {Kind: Text, Operators: []Operator{Equal}}}
}

func errFixedGroups() error {
	return Refuse(ErrForbidden, "an account has the two groups Administrators and Developers, which stay as they are")
}

// ChangePolicyGroups refuses what would make, rename or delete a group.
func (s *Service) ChangePolicyGroups(ctx context.Context, who Principal, id string) error {
	if id != "" {
		if _, err := s.PolicyGroup(ctx, who, id); err != nil {
			return err
		}
	}
	return errFixedGroups()
}

// PolicyGroups lists the account's groups.
func (s *Service) PolicyGroups(ctx context.Context, who Principal, query Query) (Page[*PolicyGroup], error) {
	groups, err := s.groupsOf(ctx, s.store, who)
	if err != nil {
		return Page[*PolicyGroup]{}, err
	}
	return groupPage(groups, query), nil
}

func groupPage(groups []*PolicyGroup, query Query) Page[*PolicyGroup] {
	return listed(groups, query, func(g *PolicyGroup) string { return g.ID }, func(g *PolicyGroup, _ string) any { return g.Name })
}

// PolicyGroup reads a group.
func (s *Service) PolicyGroup(ctx context.Context, who Principal, id string) (*PolicyGroup, error) {
	groups, err := s.groupsOf(ctx, s.store, who)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		if group.ID == id {
			return group, nil
		}
	}
	return nil, ErrNotFound
}

func (s *Service) groupsOf(ctx context.Context, r Reader, who Principal) ([]*PolicyGroup, error) {
	account, err := r.Account(ctx, who.AccountID)
	if err != nil {
		return nil, err
	}
	administrators := &PolicyGroup{ID: account.AdministratorsGroup, Name: "Administrators", Users: 1}
	developers := &PolicyGroup{ID: account.DevelopersGroup, Name: "Developers"}
	groups := []*PolicyGroup{administrators, developers}
	for _, group := range groups {
		group.AccountID, group.CreatedAt, group.UpdatedAt = account.ID, account.CreatedAt, account.CreatedAt
		keys, err := r.APIKeys(ctx, account.ID, Query{Limit: 1, Conditions: []Condition{inGroup(group.ID)}})
		if err != nil {
			return nil, err
		}
		group.APIKeys = keys.Total
	}
	return groups, nil
}

func inGroup(id string) Condition {
	return Condition{Field: "groups", Operator: Like, Values: []any{id}}
}

// APIKeysOfGroup lists the keys in a group. It returns ErrForbidden for callers
// who are no administrators.
func (s *Service) APIKeysOfGroup(ctx context.Context, who Principal, groupID string, query Query) (Page[*APIKey], error) {
	if _, err := s.PolicyGroup(ctx, who, groupID); err != nil {
		return Page[*APIKey]{}, err
	}
	query.Conditions = append(query.Conditions, inGroup(groupID))
	return s.APIKeys(ctx, who, query)
}

// UsersOfGroup lists the users in a group. It returns ErrForbidden for callers
// who are no administrators.
func (s *Service) UsersOfGroup(ctx context.Context, who Principal, groupID string, query Query) (Page[*User], error) {
	group, err := s.PolicyGroup(ctx, who, groupID)
	if err != nil {
		return Page[*User]{}, err
	}
	if group.Users == 0 {
		query.Conditions = append(query.Conditions, Condition{Field: "status", Operator: In}) // nobody
	}
	return s.Users(ctx, who, query)
}

// GroupsOfAPIKey lists the groups a key is in.
func (s *Service) GroupsOfAPIKey(ctx context.Context, who Principal, keyID string, query Query) (Page[*PolicyGroup], error) {
	key, err := s.APIKey(ctx, who, keyID)
	if err != nil {
		return Page[*PolicyGroup]{}, err
	}
	return s.groupsAmong(ctx, who, key.Groups, query)
}

// GroupsOfUser lists the groups a user is in.
func (s *Service) GroupsOfUser(ctx context.Context, who Principal, userID string, query Query) (Page[*PolicyGroup], error) {
	user, err := s.User(ctx, who, userID)
	if err != nil {
		return Page[*PolicyGroup]{}, err
	}
	return s.groupsAmong(ctx, who, user.Groups, query)
}

func (s *Service) groupsAmong(ctx context.Context, who Principal, ids []string, query Query) (Page[*PolicyGroup], error) {
	groups, err := s.groupsOf(ctx, s.store, who)
	if err != nil {
		return Page[*PolicyGroup]{}, err
	}
	groups = slices.DeleteFunc(groups, func(g *PolicyGroup) bool { return !slices.Contains(ids, g.ID) })
	return groupPage(groups, query), nil
}

// AddAPIKeyToGroups puts a key into groups; it stays in those it is in. It
// returns ErrInvalid for a group that does not exist, ErrConflict for one that
// the key is in, ErrForbidden for callers who are no administrators.
func (s *Service) AddAPIKeyToGroups(ctx context.Context, who Principal, keyID string, groups []string) (*APIKey, error) {
	return s.regroup(ctx, who, keyID, groups, func(key *APIKey) error {
		for _, group := range groups {
			if err := key.join(group); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveAPIKeyFromGroups takes a key out of groups. It returns errors like
// AddAPIKeyToGroups, ErrInvalid if the key would be in no group, and
// ErrConflict only if no active administrator would be left.
func (s *Service) RemoveAPIKeyFromGroups(ctx context.Context, who Principal, keyID string, groups []string) (*APIKey, error) {
	return s.regroup(ctx, who, keyID, groups, func(key *APIKey) error { return key.leave(groups...) })
}

func (s *Service) regroup(ctx context.Context, who Principal, keyID string, groups []string, change func(*APIKey) error) (*APIKey, error) {
	return s.changeKey(ctx, who, keyID, func(key *APIKey, account *Account) error {
		if !who.Administrator {
			return errOnlyAdministratorsGroup()
		}
		if err := account.checkGroups(groups); err != nil {
			return err
		}
		return change(key)
	})
}

// join puts a key into a group.
func (k *APIKey) join(group string) error {
	if slices.Contains(k.Groups, group) {
		return Refuse(ErrConflict, "the API key is in the group already")
	}
	k.Groups = append(slices.Clone(k.Groups), group)
	return nil
}

// leave takes a key out of groups, whether or not it is in them.
func (k *APIKey) leave(groups ...string) error {
	k.Groups = slices.DeleteFunc(slices.Clone(k.Groups), func(group string) bool { return slices.Contains(groups, group) })
	if len(k.Groups) == 0 {
		return RefuseField("groups", "cannot be none: make the API key INACTIVE, or delete it")
	}
	return nil
}

// Members are what a group is to have or to lose.
type Members struct {
	APIKeys []string // ids
	Users   []string // ids
}

// maxMembers bounds the work of one request.
const maxMembers = 1000

// AddToPolicyGroup puts keys into a group. All of them are put there, or none.
// Users are in their groups for good. It returns ErrInvalid for members that do
// not exist, ErrConflict for one that is in the group.
func (s *Service) AddToPolicyGroup(ctx context.Context, who Principal, groupID string, members Members) (*PolicyGroup, error) {
	return s.changeMembers(ctx, who, groupID, members, true)
}

// RemoveFromPolicyGroup takes keys out of a group, as RemoveAPIKeyFromGroups
// does: all of them, or none.
func (s *Service) RemoveFromPolicyGroup(ctx context.Context, who Principal, groupID string, members Members) (*PolicyGroup, error) {
	return s.changeMembers(ctx, who, groupID, members, false)
}

func (s *Service) changeMembers(ctx context.Context, who Principal, groupID string, members Members, add bool) (*PolicyGroup, error) {
	if !who.Administrator {
		return nil, errOnlyAdministratorsGroup()
	}
	group, err := s.PolicyGroup(ctx, who, groupID)
	if err != nil {
		return nil, err
	}
	if len(members.APIKeys) > maxMembers {
		return nil, RefuseField("apikeys", "are more than %d", maxMembers)
	}
	for _, user := range members.Users {
		if err := s.checkUserStays(ctx, who, user, group.ID, add); err != nil {
			return nil, err
		}
	}
	err = s.store.Update(ctx, func(w Writer) error {
		for _, id := range members.APIKeys {
			if err := s.changeMember(ctx, w, who, id, group.ID, add); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.PolicyGroup(ctx, who, groupID)
}

// checkUserStays refuses what would change a user's groups.
func (s *Service) checkUserStays(ctx context.Context, who Principal, userID, groupID string, add bool) error {
	user, err := s.User(ctx, who, userID)
	if errors.Is(err, ErrNotFound) {
		return RefuseField("users", "names a user who does not exist")
	}
	if err != nil {
		return err
	}
	switch member := slices.Contains(user.Groups, groupID); {
	case member && add:
		return Refuse(ErrConflict, "the user is in the group already")
	case member != add:
		return Refuse(ErrForbidden, "the account's user is an administrator, and nothing else")
	default:
		return nil
	}
}

func (s *Service) changeMember(ctx context.Context, w Writer, who Principal, keyID, groupID string, add bool) error {
	_, err := s.changeKeyIn(ctx, w, who, keyID, func(key *APIKey, _ *Account) error {
		if add {
			return key.join(groupID)
		}
		return key.leave(groupID)
	})
	if errors.Is(err, ErrNotFound) {
		return RefuseField("apikeys", "names an API key that does not exist")
	}
	return err
}
