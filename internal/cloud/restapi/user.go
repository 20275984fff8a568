package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

type userAnswer struct {
	Object        string    `json:"object"`
	ID            string    `json:"id"`
	ETag          string    `json:"etag"`
	AccountID     string    `json:"account_id"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Username      string    `json:"username"`
	FullName      string    `json:"full_name"`
	Groups        []string  `json:"groups"`
	Status        string    `json:"status"`
	CreatedAt     timestamp `json:"created_at"`
	CreationTime  int64     `json:"creation_time"`
	UpdatedAt     timestamp `json:"updated_at"`
}

func showUser(user *cloud.User) userAnswer {
	return userAnswer{
		Object:       "user",
		ID:           user.ID,
		ETag:         version(user.Version),
		AccountID:    user.AccountID,
		Email:        user.Email,
		Username:     user.Username,
		FullName:     user.FullName,
		Groups:       user.Groups,
		Status:       status(true),
		CreatedAt:    timestamp(user.CreatedAt),
		CreationTime: milliseconds(user.CreatedAt),
		UpdatedAt:    timestamp(user.UpdatedAt),
	}
}

func (a *API) listUsers(c *call) (answer, error) { return list(c, a.service.Users, showUser) }

func (a *API) user(c *call) (answer, error) { return read(c, a.service.User, showUser) }

func (a *API) ownUser(c *call) (answer, error) {
	user, err := a.service.User(c.Context(), c.who, c.who.OwnerID)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showUser(user)}, nil
}

func (a *API) listGroupsOfUser(c *call) (answer, error) {
	return sublist(c, a.service.GroupsOfUser, showPolicyGroup)
}
