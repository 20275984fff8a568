package cloud

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what the values of a filter field are.
type Kind int

// The kinds. An ID may be written with dashes and in upper case, a Lower, which
// is a text without capital letters, with some; all times of a Day are the same.
const (
	Text Kind = iota
	ID
	Integer
	Boolean
	Time
	Day
	Attributes // custom attributes: a map of texts
	Lower
)

// Field says how a field may be filtered.
type Field struct {
	Kind      Kind
	Operators []Operator
}

// Fields are the fields of a list that may be filtered, by name.
type Fields map[string]Field

// What bounds the work one filter can ask for.
const (
	maxConditions = 100
	maxValues     = 2000 // of all conditions; a list of a thousand ids is as long as an address may be
	maxLikeLength = 1000 // characters
)

var (
	equality = []Operator{Equal, NotEqual, In, NotIn}
	either   = []Operator{Equal, NotEqual}
	order    = []Operator{Equal, NotEqual, In, NotIn, LessEqual, GreaterEqual}
)

var operatorNames = []Operator{Equal, NotEqual, In, NotIn, LessEqual, GreaterEqual, Like}

// ParseFilter reads the conditions out of a query string. Each parameter
// field=value or field__operator=value is one; the parameter "filter" holds a
// whole query string of them. Parameters that are neither a known field nor
// have an operator are left alone outside of "filter". It returns ErrInvalid.
func ParseFilter(fields Fields, query url.Values) ([]Condition, error) {
	conditions, err := parseParameters(fields, query, false)
	if err != nil {
		return nil, err
	}
	for _, text := range query["filter"] {
		inner, err := ParseFilterText(fields, text)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, inner...)
	}
	return conditions, checkWork(conditions)
}

func checkWork(conditions []Condition) error {
	if len(conditions) > maxConditions {
		return RefuseField("filter", "has more than %d conditions", maxConditions)
	}
	values := 0
	for _, condition := range conditions {
		values += len(condition.Values)
	}
	if values > maxValues {
		return RefuseField("filter", "has more than %d values", maxValues)
	}
	return nil
}

// ParseFilterText reads a filter on its own, as in the parameter "filter" or
// the device_filter of an update campaign. It returns ErrInvalid.
func ParseFilterText(fields Fields, text string) ([]Condition, error) {
	query, err := readQuery(text)
	if err != nil {
		return nil, RefuseField("filter", "is not a query string")
	}
	return parseParameters(fields, query, true)
}

// readQuery reads a query string. A semicolon is a character like others: some
// clients escape nothing of what they filter by.
func readQuery(text string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(text, ";", "%3B"))
}

// parseParameters goes through the parameters in the order of their names,
// so that the same request always gets the same answer.
func parseParameters(fields Fields, query url.Values, strict bool) ([]Condition, error) {
	var conditions []Condition
	for _, parameter := range sortedKeys(query) {
		name, key, operator, marked := splitParameter(parameter)
		field, known := fields[name]
		if !known {
			if strict || marked {
				return nil, RefuseField(parameter, "cannot be filtered by")
			}
			continue
		}
		for _, value := range query[parameter] {
			parsed, err := parseCondition(field, parameter, Condition{Field: name, Key: key, Operator: operator}, value)
			if err != nil {
				return nil, err
			}
			conditions = append(conditions, parsed...)
		}
	}
	return conditions, nil
}

func sortedKeys(query url.Values) []string {
	keys := make([]string, 0, len(query))
	for key := range query {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

const attributesPrefix = "custom_attributes__"

// splitParameter takes a parameter's name apart. marked tells whether it can
// only be meant as a condition.
func splitParameter(parameter string) (field, key string, operator Operator, marked bool) {
	field, operator = parameter, Equal
	for _, candidate := range operatorNames {
		if base, found := strings.CutSuffix(parameter, "__"+string(candidate)); found && base != "" {
			field, operator, marked = base, candidate, true
			break
		}
	}
	if name, found := strings.CutPrefix(field, attributesPrefix); found {
		return "custom_attributes", name, operator, true
	}
	return field, "", operator, marked
}

func parseCondition(field Field, parameter string, condition Condition, text string) ([]Condition, error) {
	if !slices.Contains(field.Operators, condition.Operator) {
		return nil, RefuseField(parameter, "does not take the operator %s", condition.Operator)
	}
	if field.Kind == Attributes {
		return parseAttributes(parameter, condition, text)
	}
	if condition.Operator == Like && utf8.RuneCountInString(text) > maxLikeLength {
		return nil, RefuseField(parameter, "is longer than %d characters", maxLikeLength)
	}
	texts := []string{text}
	if condition.Operator == In || condition.Operator == NotIn {
		texts = splitList(text)
	}
	for _, text := range texts {
		value, err := parseValue(field.Kind, text)
		if err != nil {
			return nil, RefuseField(parameter, "%s", err)
		}
		condition.Values = append(condition.Values, value)
	}
	return []Condition{condition}, nil
}

// parseAttributes reads custom_attributes__name=value, and
// custom_attributes__eq={"name":"value"}, which asks for all of its names.
func parseAttributes(parameter string, condition Condition, text string) ([]Condition, error) {
	attributes := map[string]string{condition.Key: text}
	if condition.Key == "" {
		attributes = nil
		if err := json.Unmarshal([]byte(text), &attributes); err != nil {
			return nil, RefuseField(parameter, "is not a JSON object of texts")
		}
		if len(attributes) > 1 && condition.Operator != Equal {
			return nil, RefuseField(parameter, "takes one attribute; give each a parameter of its own")
		}
	}
	delete(attributes, "")
	var conditions []Condition
	for name, value := range attributes {
		if !attributeName.MatchString(name) {
			return nil, RefuseField(parameter, "has a malformed attribute name")
		}
		conditions = append(conditions, Condition{
			Field: condition.Field, Key: name, Operator: condition.Operator, Values: []any{value},
		})
	}
	slices.SortFunc(conditions, func(a, b Condition) int { return strings.Compare(a.Key, b.Key) })
	return conditions, nil
}

// attributeName is what a custom attribute may be called.
var attributeName = regexp.MustCompile(`^\p{L}[^\x00-\x1f"\\]{0,127}$`)
