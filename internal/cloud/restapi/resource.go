package restapi

import (
	"context"
	"net/http"

	"mbl/internal/cloud"
)

// list answers with a page of what the brain lists.
func list[T, A any](c *call, from func(context.Context, cloud.Principal, cloud.Query) (cloud.Page[T], error), show func(T) A) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	items, err := from(c.Context(), c.who, query)
	if err != nil {
		return answer{}, err
	}
	return page(query, items, show), nil
}

// sublist answers with a page of what belongs to the thing that the path names.
func sublist[T, A any](
	c *call, from func(context.Context, cloud.Principal, string, cloud.Query) (cloud.Page[T], error), show func(T) A,
) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	items, err := from(c.Context(), c.who, id, query)
	if err != nil {
		return answer{}, err
	}
	return page(query, items, show), nil
}

// read answers with the one thing that the path names.
func read[T, A any](c *call, from func(context.Context, cloud.Principal, string) (T, error), show func(T) A) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	item, err := from(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, show(item)}, nil
}

// remove deletes what the path names.
func remove(c *call, from func(context.Context, cloud.Principal, string) error) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, from(c.Context(), c.who, id)
}
