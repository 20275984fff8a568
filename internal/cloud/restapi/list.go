package restapi

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

// Sizes of pages.
const (
	minLimit     = 2
	maxLimit     = 1000
	defaultLimit = 50
)

// listRules say how a list is paged and filtered.
type listRules struct {
	fields cloud.Fields
	clamp  bool // a limit out of range is brought into it, and not refused
	whole  bool // there is one page, whatever limit and after say
}

// listAnswer is a page of a list.
type listAnswer[T any] struct {
	Object     string  `json:"object"`
	Data       []T     `json:"data"`
	HasMore    bool    `json:"has_more"`
	Limit      int     `json:"limit"`
	Order      string  `json:"order"`
	After      *string `json:"after"`
	TotalCount int     `json:"total_count"`
}

// query reads the parameters of a list.
func (c *call) query() (cloud.Query, error) {
	var query cloud.Query
	parameters, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return query, cloud.Refuse(cloud.ErrInvalid, "the query string is malformed")
	}
	if c.rules.whole {
		parameters.Del("limit")
		parameters.Del("after")
	}
	if query.Limit, err = c.rules.limit(parameters.Get("limit")); err != nil {
		return query, err
	}
	if query.Descending, err = descending(parameters.Get("order")); err != nil {
		return query, err
	}
	if after := parameters.Get("after"); after != "" {
		id, ok := objectid.Normalize(after)
		if !ok {
			return query, cloud.RefuseField("after", "is not an id")
		}
		query.After = id
	}
	for _, paging := range []string{"limit", "order", "after", "include"} {
		delete(parameters, paging)
	}
	query.Conditions, err = cloud.ParseFilter(c.rules.fields, parameters)
	return query, err
}

func (rules *listRules) limit(text string) (int, error) {
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text) // the nearest number there is, if it is out of range
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, cloud.RefuseField("limit", "is not a number")
	}
	if rules.clamp {
		return min(max(limit, minLimit), maxLimit), nil
	}
	if limit < minLimit || limit > maxLimit {
		return 0, cloud.RefuseField("limit", "is not between %d and %d", minLimit, maxLimit)
	}
	return limit, nil
}

func descending(order string) (bool, error) {
	switch strings.ToUpper(order) {
	case "", "ASC":
		return false, nil
	case "DESC":
		return true, nil
	default:
		return false, cloud.RefuseField("order", "is neither ASC nor DESC")
	}
}

// page makes the answer to a list.
func page[T, A any](query cloud.Query, from cloud.Page[T], show func(T) A) answer {
	body := listAnswer[A]{
		Object:     "list",
		Data:       make([]A, 0, len(from.Items)),
		HasMore:    from.HasMore,
		Limit:      query.Limit,
		Order:      "ASC",
		TotalCount: from.Total,
	}
	if query.Descending {
		body.Order = "DESC"
	}
	if query.After != "" {
		body.After = &query.After
	}
	for _, item := range from.Items {
		body.Data = append(body.Data, show(item))
	}
	return answer{status: http.StatusOK, body: body}
}
