package restapi

import (
	"context"
	"net/http"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

type policyGroupAnswer struct {
	Object      string    `json:"object"`
	ID          string    `json:"id"`
	ETag        string    `json:"etag"`
	AccountID   string    `json:"account_id"`
	Name        string    `json:"name"`
	APIKeyCount int       `json:"apikey_count"`
	UserCount   int       `json:"user_count"`
	CreatedAt   timestamp `json:"created_at"`
	UpdatedAt   timestamp `json:"updated_at"`
}

// updated is what one generation of the API's document answers to a change of
// members, beside what the other does: the thing as it is now.
type updated struct {
	Code      int    `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	Type      string `json:"type"`
}

type updatedGroupAnswer struct {
	policyGroupAnswer
	updated
}

type updatedAPIKeyAnswer struct {
	apiKeyAnswer
	updated
}

// Changes of members, as the brain makes them.
type (
	membersChange func(ctx context.Context, who cloud.Principal, groupID string, members cloud.Members) (*cloud.PolicyGroup, error)
	groupsChange  func(ctx context.Context, who cloud.Principal, keyID string, groups []string) (*cloud.APIKey, error)
)

func (c *call) updated() updated {
	return updated{Code: http.StatusOK, Message: "success", RequestID: c.id, Type: "success"}
}

// membersBody names API keys and users by their ids.
type membersBody struct {
	APIKeys []string `json:"apikeys"`
	Users   []string `json:"users"`
}

func showPolicyGroup(group *cloud.PolicyGroup) policyGroupAnswer {
	return policyGroupAnswer{
		Object:      "group",
		ID:          group.ID,
		ETag:        version(1),
		AccountID:   group.AccountID,
		Name:        group.Name,
		APIKeyCount: group.APIKeys,
		UserCount:   group.Users,
		CreatedAt:   timestamp(group.CreatedAt),
		UpdatedAt:   timestamp(group.UpdatedAt),
	}
}

func (a *API) listPolicyGroups(c *call) (answer, error) {
	return list(c, a.service.PolicyGroups, showPolicyGroup)
}

func (a *API) policyGroup(c *call) (answer, error) {
	return read(c, a.service.PolicyGroup, showPolicyGroup)
}

func (a *API) createPolicyGroup(c *call) (answer, error) {
	return answer{}, a.service.ChangePolicyGroups(c.Context(), c.who, "")
}

func (a *API) changePolicyGroup(c *call) (answer, error) {
	return remove(c, a.service.ChangePolicyGroups)
}

func (a *API) listAPIKeysOfGroup(c *call) (answer, error) {
	return sublist(c, a.service.APIKeysOfGroup, showAPIKey)
}

func (a *API) listUsersOfGroup(c *call) (answer, error) {
	return sublist(c, a.service.UsersOfGroup, showUser)
}

func (a *API) addMembers(c *call) (answer, error) { return c.members(a.service.AddToPolicyGroup) }

func (a *API) removeMembers(c *call) (answer, error) {
	return c.members(a.service.RemoveFromPolicyGroup)
}

func (c *call) members(change membersChange) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	var body membersBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	group, err := change(c.Context(), c.who, id, cloud.Members{APIKeys: normal(body.APIKeys), Users: normal(body.Users)})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, updatedGroupAnswer{showPolicyGroup(group), c.updated()}}, nil
}

// normal are ids as the service writes them; what is no id names nothing, and
// stays.
func normal(ids []string) []string {
	written := make([]string, len(ids))
	for i, id := range ids {
		written[i] = id
		if normalized, ok := objectid.Normalize(id); ok {
			written[i] = normalized
		}
	}
	return written
}

func (a *API) listGroupsOfAPIKey(c *call) (answer, error) {
	return sublist(c, a.service.GroupsOfAPIKey, showPolicyGroup)
}

func (a *API) listOwnGroups(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	groups, err := a.service.GroupsOfAPIKey(c.Context(), c.who, c.who.KeyID, query)
	if err != nil {
		return answer{}, err
	}
	return page(query, groups, showPolicyGroup), nil
}

func (a *API) addAPIKeyToGroups(c *call) (answer, error) {
	return c.regroup(a.service.AddAPIKeyToGroups)
}

func (a *API) removeAPIKeyFromGroups(c *call) (answer, error) {
	return c.regroup(a.service.RemoveAPIKeyFromGroups)
}

func (c *call) regroup(change groupsChange) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	return c.regroupKey(id, change)
}

func (a *API) addOwnAPIKeyToGroups(c *call) (answer, error) {
	return c.regroupKey(c.who.KeyID, a.service.AddAPIKeyToGroups)
}

func (a *API) removeOwnAPIKeyFromGroups(c *call) (answer, error) {
	return c.regroupKey(c.who.KeyID, a.service.RemoveAPIKeyFromGroups)
}

func (c *call) regroupKey(id string, change groupsChange) (answer, error) {
	var groups []string
	if err := c.decode(&groups); err != nil {
		return answer{}, err
	}
	key, err := change(c.Context(), c.who, id, normal(groups))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, updatedAPIKeyAnswer{showAPIKey(key), c.updated()}}, nil
}
