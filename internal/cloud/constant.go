package cloud

import (
	"slices"
	"strings"
)

// listed is a page of a list of a few things that are not in the store. value
// is a field of a thing, of the type that the field's kind has in conditions.
func listed[T any](all []T, query Query, id func(T) string, value func(item T, field string) any) Page[T] {
	chosen := slices.DeleteFunc(slices.Clone(all), func(item T) bool {
		return !query.holds(func(field string) any { return value(item, field) })
	})
	slices.SortFunc(chosen, func(a, b T) int { return strings.Compare(id(a), id(b)) })
	if query.Descending {
		slices.Reverse(chosen)
	}
	page := Page[T]{Total: len(chosen)}
	if query.After != "" {
		chosen = slices.DeleteFunc(chosen, func(item T) bool {
			return id(item) == query.After || (id(item) < query.After) != query.Descending
		})
	}
	page.HasMore = len(chosen) > query.Limit
	page.Items = chosen[:min(len(chosen), query.Limit)]
	return page
}

// holds tells whether a thing with these fields meets all conditions, which are
// of equality.
func (q Query) holds(value func(field string) any) bool {
	return !slices.ContainsFunc(q.Conditions, func(condition Condition) bool {
		return !condition.holds(value(condition.Field))
	})
}

// holds tells whether a value meets a condition of equality.
func (c Condition) holds(value any) bool {
	negated := c.Operator == NotEqual || c.Operator == NotIn
	return slices.Contains(c.Values, value) != negated
}
