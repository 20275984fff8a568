package cloudapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// The two servers that devices talk to.
const (
	ServerBootstrap = "bootstrap"
	ServerLwM2M     = "lwm2m"
)

// ServerCredentials is where devices find a server and how they recognise it.
type ServerCredentials struct {
	URI         string `json:"server_uri"`         // coaps://host:port?aid=…
	Certificate string `json:"server_certificate"` // PEM, of the server's CA
}

// ServerCredentials reads the credentials of ServerBootstrap or ServerLwM2M.
func (c *Client) ServerCredentials(ctx context.Context, server string) (*ServerCredentials, error) {
	var credentials ServerCredentials
	err := c.call(ctx, http.MethodGet, "/v3/server-credentials/"+url.PathEscape(server), nil, nil, &credentials)
	if err == nil && credentials.URI == "" {
		err = &NotServiceError{URL: c.base}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s server's credentials: %w", server, err)
	}
	return &credentials, nil
}
