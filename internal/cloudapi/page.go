package cloudapi

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

const (
	fewest   = 2 // the least a service gives in one part
	pageSize = 500
	maxPages = 10000 // a service that never ends is not believed
)

// item is what a list holds.
type item interface{ identity() string }

// page is one part of a list.
type page[T item] struct {
	Object     string `json:"object"`
	Data       []T    `json:"data"`
	HasMore    bool   `json:"has_more"`
	TotalCount *int   `json:"total_count"` // with include=total_count
}

// list goes through all items of a list, asking for further pages as it goes.
// It ends after the first error.
func list[T item](ctx context.Context, c *Client, path string, filter url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query := url.Values{}
		maps.Copy(query, filter)
		query.Set("limit", strconv.Itoa(pageSize))
		var none T
		for range maxPages {
			part, err := listPage[T](ctx, c, path, query)
			if err != nil {
				yield(none, err)
				return
			}
			for _, one := range part.Data {
				if !yield(one, nil) {
					return
				}
			}
			if !part.HasMore || len(part.Data) == 0 {
				return
			}
			last := part.Data[len(part.Data)-1].identity()
			if last == query.Get("after") {
				break // it gives the same part again and again
			}
			query.Set("after", last)
		}
		yield(none, fmt.Errorf("%w: its list of %s never ends", ErrNotService, path))
	}
}

func listPage[T item](ctx context.Context, c *Client, path string, query url.Values) (*page[T], error) {
	var part page[T]
	if err := c.call(ctx, http.MethodGet, path, query, nil, &part); err != nil {
		return nil, err
	}
	if part.Object != "list" {
		return nil, &NotServiceError{URL: c.base}
	}
	return &part, nil
}

// countItems asks how many items a list has, without reading them.
func countItems[T item](ctx context.Context, c *Client, path string, filter url.Values) (int, error) {
	query := url.Values{}
	maps.Copy(query, filter)
	query.Set("limit", strconv.Itoa(fewest))
	query.Set("include", "total_count")
	part, err := listPage[T](ctx, c, path, query)
	if err != nil {
		return 0, err
	}
	if part.TotalCount == nil || *part.TotalCount < len(part.Data) {
		return 0, &NotServiceError{URL: c.base}
	}
	return *part.TotalCount, nil
}
