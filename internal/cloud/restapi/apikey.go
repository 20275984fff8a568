package restapi

import (
	"net/http"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
	"mbl/internal/secret"
)

type apiKeyAnswer struct {
	Object        string    `json:"object"`
	ID            string    `json:"id"`
	ETag          string    `json:"etag"`
	AccountID     string    `json:"account_id"`
	Name          string    `json:"name"`
	Key           string    `json:"key"` // without its secret, except when it has just been made
	Owner         string    `json:"owner"`
	Groups        []string  `json:"groups"`
	Status        string    `json:"status"`
	CreatedAt     timestamp `json:"created_at"`
	CreationTime  int64     `json:"creation_time"`
	UpdatedAt     timestamp `json:"updated_at"`
	LastLoginTime int64     `json:"last_login_time,omitempty"`
}

type apiKeyBody struct {
	Name   *string   `json:"name"`
	Owner  *string   `json:"owner"`
	Groups *[]string `json:"groups"`
	Status *string   `json:"status"`
}

func showAPIKey(key *cloud.APIKey) apiKeyAnswer {
	return apiKeyAnswer{
		Object:        "api-key",
		ID:            key.ID,
		ETag:          version(key.Version),
		AccountID:     key.AccountID,
		Name:          key.Name,
		Key:           key.PublicText(),
		Owner:         key.Owner,
		Groups:        key.Groups,
		Status:        status(key.Active),
		CreatedAt:     timestamp(key.CreatedAt),
		CreationTime:  milliseconds(key.CreatedAt),
		UpdatedAt:     timestamp(key.UpdatedAt),
		LastLoginTime: milliseconds(key.LastUsedAt),
	}
}

// showNewAPIKey shows the whole text of a key, which is possible only once.
func showNewAPIKey(key *cloud.APIKey, text secret.Text) apiKeyAnswer {
	shown := showAPIKey(key)
	shown.Key = text.Reveal()
	return shown
}

func (body apiKeyBody) settings() (cloud.APIKeySettings, error) {
	settings := cloud.APIKeySettings{Name: body.Name}
	if body.Owner != nil {
		owner, ok := objectid.Normalize(*body.Owner)
		if !ok {
			return settings, cloud.RefuseField("owner", "is not an id")
		}
		settings.Owner = &owner
	}
	if body.Status != nil {
		active := *body.Status == status(true)
		if !active && *body.Status != status(false) {
			return settings, cloud.RefuseField("status", "is neither ACTIVE nor INACTIVE")
		}
		settings.Active = &active
	}
	if body.Groups != nil {
		groups := make([]string, len(*body.Groups))
		for i, group := range *body.Groups {
			groups[i], _ = objectid.Normalize(group)
		}
		settings.Groups = &groups
	}
	return settings, nil
}

func (c *call) apiKeySettings() (cloud.APIKeySettings, error) {
	var body apiKeyBody
	if err := c.decode(&body); err != nil {
		return cloud.APIKeySettings{}, err
	}
	return body.settings()
}

func (a *API) listAPIKeys(c *call) (answer, error) { return list(c, a.service.APIKeys, showAPIKey) }

func (a *API) createAPIKey(c *call) (answer, error) {
	settings, err := c.apiKeySettings()
	if err != nil {
		return answer{}, err
	}
	key, text, err := a.service.CreateAPIKey(c.Context(), c.who, settings)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showNewAPIKey(key, text)}, nil
}

func (a *API) apiKey(c *call) (answer, error) { return read(c, a.service.APIKey, showAPIKey) }

func (a *API) ownAPIKey(c *call) (answer, error) {
	key, err := a.service.APIKey(c.Context(), c.who, c.who.KeyID)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showAPIKey(key)}, nil
}

func (a *API) updateOwnAPIKey(c *call) (answer, error) { return a.changeAPIKey(c, c.who.KeyID) }

func (a *API) updateAPIKey(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	return a.changeAPIKey(c, id)
}

func (a *API) changeAPIKey(c *call, id string) (answer, error) {
	settings, err := c.apiKeySettings()
	if err != nil {
		return answer{}, err
	}
	key, err := a.service.UpdateAPIKey(c.Context(), c.who, id, settings)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showAPIKey(key)}, nil
}

func (a *API) deleteAPIKey(c *call) (answer, error) { return remove(c, a.service.DeleteAPIKey) }

func (a *API) resetAPIKeySecret(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	key, text, err := a.service.ResetAPIKeySecret(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showNewAPIKey(key, text)}, nil
}
