package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// accountRoutes are the rows of the account and who has access to it, besides
// API keys: groups, users, limits. Changes of members have two spellings, one
// in each generation of the published document.
func accountRoutes() []route {
	const (
		own, key    = "/v3/api-keys/me/groups", "/v3/api-keys/{id}/groups"
		group, user = "/v3/policy-groups/{id}", "/v3/users/{id}"
	)
	keys := &listRules{}
	groups := &listRules{fields: cloud.PolicyGroupFields()}
	users := &listRules{fields: cloud.UserFields()}
	plain := &listRules{}
	limits := &listRules{fields: cloud.LimitationFields(), clamp: true}
	keyGroups, keyList := listAnswer[policyGroupAnswer]{}, listAnswer[apiKeyAnswer]{}
	return []route{
		{"PUT", "/v3/accounts/me", administrators, (*API).updateAccount, "Change the account's profile", nil, accountBody{}, http.StatusOK, accountAnswer{}},
		{"GET", "/v3/accounts/me/notifications", keyHolders, (*API).listNothing, "Messages sent about the account; there are none", plain, nil, http.StatusOK, listAnswer[nothing]{}},
		{"GET", "/v3/metrics", keyHolders, (*API).listNothing, "Statistics over time; none are kept, /metrics has the present numbers", &listRules{clamp: true}, nil, http.StatusOK, listAnswer[nothing]{}},
		{"GET", "/v3/limitations", keyHolders, (*API).listLimitations, "List the account's limits", limits, nil, http.StatusOK, listAnswer[limitationAnswer]{}},
		{"GET", "/v3/limitations/{id}", keyHolders, (*API).limitation, "Read a limit", nil, nil, http.StatusOK, limitationAnswer{}},

		{"GET", own, keyHolders, (*API).listOwnGroups, "List the groups of the caller's API key", plain, nil, http.StatusOK, keyGroups},
		{"POST", own, keyHolders, (*API).addOwnAPIKeyToGroups, "Put the caller's API key into groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"POST", own + "/add", keyHolders, (*API).addOwnAPIKeyToGroups, "Put the caller's API key into groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"DELETE", own, keyHolders, (*API).removeOwnAPIKeyFromGroups, "Take the caller's API key out of groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"POST", own + "/remove", keyHolders, (*API).removeOwnAPIKeyFromGroups, "Take the caller's API key out of groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"GET", key, keyHolders, (*API).listGroupsOfAPIKey, "List the groups of an API key", plain, nil, http.StatusOK, keyGroups},
		{"POST", key, keyHolders, (*API).addAPIKeyToGroups, "Put an API key into groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"POST", key + "/add", keyHolders, (*API).addAPIKeyToGroups, "Put an API key into groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"DELETE", key, keyHolders, (*API).removeAPIKeyFromGroups, "Take an API key out of groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},
		{"POST", key + "/remove", keyHolders, (*API).removeAPIKeyFromGroups, "Take an API key out of groups", nil, []string{}, http.StatusOK, updatedAPIKeyAnswer{}},

		{"GET", "/v3/policy-groups", keyHolders, (*API).listPolicyGroups, "List the groups of API keys and users", groups, nil, http.StatusOK, keyGroups},
		{"POST", "/v3/policy-groups", administrators, (*API).createPolicyGroup, "Refused: there are two groups", nil, nil, http.StatusCreated, policyGroupAnswer{}},
		{"GET", group, keyHolders, (*API).policyGroup, "Read a group", nil, nil, http.StatusOK, policyGroupAnswer{}},
		{"POST", group, administrators, (*API).addMembers, "Put API keys into a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"PUT", group, administrators, (*API).changePolicyGroup, "Refused: groups keep their names", nil, nil, http.StatusOK, updatedGroupAnswer{}},
		{"DELETE", group, administrators, (*API).changePolicyGroup, "Refused: groups stay", nil, nil, http.StatusNoContent, nil},
		{"GET", group + "/api-keys", administrators, (*API).listAPIKeysOfGroup, "List the API keys of a group", keys, nil, http.StatusOK, keyList},
		{"POST", group + "/api-keys", administrators, (*API).addMembers, "Put API keys into a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"POST", group + "/api-keys/add", administrators, (*API).addMembers, "Put API keys into a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"DELETE", group + "/api-keys", administrators, (*API).removeMembers, "Take API keys out of a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"POST", group + "/api-keys/remove", administrators, (*API).removeMembers, "Take API keys out of a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"GET", group + "/users", administrators, (*API).listUsersOfGroup, "List the users of a group", users, nil, http.StatusOK, listAnswer[userAnswer]{}},
		{"POST", group + "/users", administrators, (*API).addMembers, "Put users into a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"POST", group + "/users/add", administrators, (*API).addMembers, "Put users into a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"DELETE", group + "/users", administrators, (*API).removeMembers, "Take users out of a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},
		{"POST", group + "/users/remove", administrators, (*API).removeMembers, "Take users out of a group", nil, membersBody{}, http.StatusOK, updatedGroupAnswer{}},

		{"GET", "/v3/users", administrators, (*API).listUsers, "List users; there is one", users, nil, http.StatusOK, listAnswer[userAnswer]{}},
		{"GET", "/v3/users/me", keyHolders, (*API).ownUser, "The owner of the caller's API key", nil, nil, http.StatusOK, userAnswer{}},
		{"GET", user, keyHolders, (*API).user, "Read a user", nil, nil, http.StatusOK, userAnswer{}},
		{"GET", user + "/groups", keyHolders, (*API).listGroupsOfUser, "List the groups of a user", plain, nil, http.StatusOK, keyGroups},
	}
}
