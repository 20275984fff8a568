package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mbl/internal/cloud"
)

// listing is a table that can be listed by account.
type listing[T any] struct {
	table   string
	scope   string // the column that says whose a row is; empty: account_id
	key     string // the column of the id; empty: id
	columns string
	fields  map[string]string // name of a filter field: SQL expression
	indexed string            // the table of custom attributes, one a row; empty: there is none
	counted *counts           // nil: the rows are counted
	scan    func(scanner) (T, error)
}

// counts is a table that keeps how many rows of another there are.
type counts struct {
	table  string
	scope  string            // like listing's
	sum    string            // the column to add up
	fields map[string]string // the conditions it knows the answer to
}

// list reads one page of what belongs to owner. Items are found by id, not by
// counting from the start, so a page costs the same wherever it is and never
// shows an item twice.
func list[T any](ctx context.Context, q *queries, from listing[T], owner string, query cloud.Query) (cloud.Page[T], error) {
	var page cloud.Page[T]
	statement, err := from.pageStatement(owner, query)
	if err != nil {
		return page, err
	}
	items, err := many(ctx, q, from.scan, statement.text, statement.args...)
	if err != nil {
		return page, err
	}
	page.HasMore = len(items) > query.Limit
	page.Items = items[:min(len(items), query.Limit)]
	if query.After == "" && !page.HasMore {
		page.Total = len(items)
		return page, nil
	}
	if statement, err = from.countStatement(owner, query); err != nil {
		return page, err
	}
	totals, err := many(ctx, q, scanInt, statement.text, statement.args...)
	if err != nil {
		return page, err
	}
	page.Total = totals[0]
	return page, nil
}

// pageStatement selects one item more than the page has, which tells whether
// there are further ones.
func (l listing[T]) pageStatement(owner string, query cloud.Query) (*clause, error) {
	chosen, err := l.choose(owner, query.Conditions)
	if err != nil {
		return nil, err
	}
	direction, beyond := "ASC", " > "
	if query.Descending {
		direction, beyond = "DESC", " < "
	}
	if query.After != "" {
		chosen.and(chosen.key + beyond + chosen.bind(query.After))
	}
	chosen.text = "SELECT " + l.columns + " FROM " + l.table + " WHERE " + chosen.text +
		" ORDER BY " + chosen.key + " " + direction + " LIMIT " + chosen.bind(int64(query.Limit)+1)
	return chosen, nil
}

// countStatement selects how many items there are on all pages: from where the
// number is kept, if the conditions allow it.
func (l listing[T]) countStatement(owner string, query cloud.Query) (*clause, error) {
	if l.counted.know(query.Conditions) {
		kept := listing[T]{table: l.counted.table, scope: l.counted.scope, fields: l.counted.fields}
		chosen, err := kept.choose(owner, query.Conditions)
		if err != nil {
			return nil, err
		}
		chosen.text = "SELECT CAST(COALESCE(SUM(" + l.counted.sum + "), 0) AS BIGINT) FROM " + l.counted.table + " WHERE " + chosen.text
		return chosen, nil
	}
	chosen, err := l.choose(owner, query.Conditions)
	if err != nil {
		return nil, err
	}
	chosen.text = "SELECT COUNT(*) FROM " + l.table + " WHERE " + chosen.text
	return chosen, nil
}

func (c *counts) know(conditions []cloud.Condition) bool {
	if c == nil {
		return false
	}
	return !slices.ContainsFunc(conditions, func(condition cloud.Condition) bool {
		_, known := c.fields[condition.Field]
		return !known
	})
}

// choose makes the WHERE clause of what belongs to owner and meets conditions.
func (l listing[T]) choose(owner string, conditions []cloud.Condition) (*clause, error) {
	chosen := &clause{fields: l.fields, key: cmp.Or(l.key, "id"), indexed: l.indexed}
	chosen.and(cmp.Or(l.scope, "account_id") + " = " + chosen.bind(owner))
	for _, condition := range conditions {
		if err := chosen.add(condition); err != nil {
			return nil, fmt.Errorf("cannot list %s: %w", l.table, err)
		}
	}
	return chosen, nil
}

// clause is a WHERE clause in the making. Only expressions written in this
// package become text of it; every value is an argument.
type clause struct {
	fields  map[string]string
	key     string // the column of the id
	indexed string // like listing's
	text    string
	args    []any
}

func (c *clause) and(test string) {
	if c.text != "" {
		c.text += " AND "
	}
	c.text += test
}

// bind adds an argument and returns its placeholder.
func (c *clause) bind(value any) string {
	if moment, ok := value.(time.Time); ok {
		value = at(moment)
	}
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *clause) add(condition cloud.Condition) error {
	expression, known := c.fields[condition.Field]
	if !known || len(condition.Values) == 0 {
		return fmt.Errorf("no condition can be made of field %q", condition.Field)
	}
	if condition.Key != "" && condition.Operator == cloud.Equal && c.indexed != "" {
		c.and(c.key + " IN (SELECT device_id FROM " + c.indexed + " WHERE name = " + c.bind(condition.Key) +
			" AND value = " + c.bind(condition.Values[0]) + ")")
		return nil
	}
	if condition.Key != "" {
		expression = "(" + expression + " ->> " + c.bind(condition.Key) + ")"
	}
	c.and(c.test(expression, condition))
	return nil
}

func (c *clause) test(expression string, condition cloud.Condition) string {
	value := condition.Values[0]
	switch condition.Operator {
	case cloud.NotEqual, cloud.NotIn: // what has no value is different from every value
		return "(" + expression + " IS NULL OR " + expression + " NOT IN " + c.bindAll(condition.Values) + ")"
	case cloud.In:
		return expression + " IN " + c.bindAll(condition.Values)
	case cloud.LessEqual:
		return expression + " <= " + c.bind(value)
	case cloud.GreaterEqual:
		return expression + " >= " + c.bind(value)
	case cloud.Like:
		return "LOWER(" + expression + ") LIKE " + c.bind(pattern(value)) + ` ESCAPE '\'`
	default:
		return expression + " = " + c.bind(value)
	}
}

func (c *clause) bindAll(values []any) string {
	placeholders := make([]string, len(values))
	for i, value := range values {
		placeholders[i] = c.bind(value)
	}
	return "(" + strings.Join(placeholders, ", ") + ")"
}

var escapeLike = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// pattern finds a text anywhere within another.
func pattern(value any) string {
	text, _ := value.(string)
	return "%" + escapeLike.Replace(strings.ToLower(text)) + "%"
}
