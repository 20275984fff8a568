package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mbl/internal/cloud"
)

// listing is a table that can be listed by account.
type listing[T any] struct {
	table   string
	columns string
	fields  map[string]string // name of a filter field: SQL expression
	scan    func(scanner) (T, error)
}

// list reads one page. Items are found by id, not by counting from the start,
// so a page costs the same wherever it is and never shows an item twice.
func list[T any](ctx context.Context, q *queries, from listing[T], accountID string, query cloud.Query) (cloud.Page[T], error) {
	var page cloud.Page[T]
	conditions := clause{fields: from.fields}
	conditions.and("account_id = " + conditions.bind(accountID))
	for _, condition := range query.Conditions {
		if err := conditions.add(condition); err != nil {
			return page, fmt.Errorf("cannot list %s: %w", from.table, err)
		}
	}
	totals, err := many(ctx, q, scanInt, "SELECT COUNT(*) FROM "+from.table+" WHERE "+conditions.text, conditions.args...)
	if err != nil {
		return page, err
	}
	direction, beyond := "ASC", " > "
	if query.Descending {
		direction, beyond = "DESC", " < "
	}
	if query.After != "" {
		conditions.and("id" + beyond + conditions.bind(query.After))
	}
	statement := "SELECT " + from.columns + " FROM " + from.table + " WHERE " + conditions.text +
		" ORDER BY id " + direction + " LIMIT " + conditions.bind(int64(query.Limit)+1)
	items, err := many(ctx, q, from.scan, statement, conditions.args...)
	if err != nil {
		return page, err
	}
	page.Total = totals[0]
	page.HasMore = len(items) > query.Limit
	page.Items = items[:min(len(items), query.Limit)]
	return page, nil
}

// clause is a WHERE clause in the making. Only expressions written in this
// package become text of it; every value is an argument.
type clause struct {
	fields map[string]string
	text   string
	args   []any
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
