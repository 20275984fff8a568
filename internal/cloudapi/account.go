package cloudapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Account is the account that the API key belongs to.
type Account struct {
	ID          string `json:"id"`
	Status      string `json:"status"` // ACTIVE, RESTRICTED …
	DisplayName string `json:"display_name"`
	Tier        string `json:"tier"`
}

// CurrentAccount asks whose key this is. It is the call that proves a key.
func (c *Client) CurrentAccount(ctx context.Context) (*Account, error) {
	account, err := c.currentAccount(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the account: %w", err)
	}
	return account, nil
}

func (c *Client) currentAccount(ctx context.Context) (*Account, error) {
	var account Account
	query := url.Values{"include": {"limits, policies"}}
	if err := c.call(ctx, http.MethodGet, "/v3/accounts/me", query, nil, &account); err != nil {
		return nil, err
	}
	if account.ID == "" {
		return nil, &NotServiceError{URL: c.base}
	}
	return &account, nil
}
