package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// instant is a time in a column: microseconds since 1970, NULL for the zero
// time.
type instant struct{ *time.Time }

// Value implements driver.Valuer.
func (i instant) Value() (driver.Value, error) {
	if i.IsZero() {
		return nil, nil
	}
	return i.UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (i instant) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*i.Time = time.Time{}
	case int64:
		*i.Time = time.UnixMicro(value).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", value)
	}
	return nil
}

// at makes an argument of a time.
func at(t time.Time) instant { return instant{&t} }

// dayOf is the beginning of the day of an instant since 1970, as an instant.
func dayOf(column string) string { return "(" + column + " - " + column + " % 86400000000)" }

// document is a value in a column as JSON text.
type document struct{ value any }

// Value implements driver.Valuer.
func (d document) Value() (driver.Value, error) {
	text, err := json.Marshal(d.value)
	return string(text), err
}

// Scan implements sql.Scanner; the value must be a pointer.
func (d document) Scan(value any) error {
	switch value := value.(type) {
	case string:
		return json.Unmarshal([]byte(value), d.value)
	case []byte:
		return json.Unmarshal(value, d.value)
	default:
		return fmt.Errorf("JSON is stored as %T", value)
	}
}

// length is a duration in a column, in microseconds.
type length struct{ *time.Duration }

// Value implements driver.Valuer.
func (l length) Value() (driver.Value, error) { return l.Microseconds(), nil }

// Scan implements sql.Scanner.
func (l length) Scan(value any) error {
	microseconds, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a duration is stored as %T", value)
	}
	*l.Duration = time.Duration(microseconds) * time.Microsecond
	return nil
}

// joined is what STRING_AGG made of texts without commas, in order; nil of none.
type joined struct{ texts *[]string }

// Scan implements sql.Scanner.
func (j joined) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*j.texts = nil
	case string:
		*j.texts = strings.Split(value, ",")
		slices.Sort(*j.texts)
	default:
		return fmt.Errorf("a list of texts is read as %T", value)
	}
	return nil
}
