package cloudapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// DeleteDevice takes an entry out of the directory. The device is cut off; it
// is a new one if it bootstraps again.
func (c *Client) DeleteDevice(ctx context.Context, id string) error {
	err := c.call(ctx, http.MethodDelete, "/v3/devices/"+url.PathEscape(id), nil, nil, nil)
	if err != nil {
		return fmt.Errorf("cannot delete the device %s: %w", id, err)
	}
	return nil
}
