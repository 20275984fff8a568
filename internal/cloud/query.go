package cloud

// Query chooses and orders the items of a list. The zero value asks for
// nothing: set at least Limit.
type Query struct {
	Conditions []Condition // all must hold
	Limit      int         // at most so many items
	After      string      // id; items up to and including it are left out. Empty: from the start
	Descending bool        // newest first; ids sort by creation time
}

// Condition is one test of one field.
type Condition struct {
	Field    string
	Key      string // which custom attribute; empty for every other field
	Operator Operator
	Values   []any // string, int64, bool or time.Time; one, or several for In and NotIn
}

// Operator is how a Condition compares.
type Operator string

// The operators of the REST API's filters; Like is a substring in any case.
const (
	Equal        Operator = "eq"
	NotEqual     Operator = "neq"
	In           Operator = "in"
	NotIn        Operator = "nin"
	LessEqual    Operator = "lte"
	GreaterEqual Operator = "gte"
	Like         Operator = "like"
)

// Page is a part of a list.
type Page[T any] struct {
	Items   []T
	HasMore bool // further items follow the last one
	Total   int  // items that meet the conditions, on all pages
}

// where makes a Condition that a field equals a value.
func where(field string, value any) Condition {
	return Condition{Field: field, Operator: Equal, Values: []any{value}}
}
