package senml

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// jsonRecord is a record in JSON (RFC 8428 section 5). Pointers tell what is
// there.
type jsonRecord struct {
	BaseName   *string      `json:"bn,omitempty"`
	Name       string       `json:"n,omitempty"`
	Number     *json.Number `json:"v,omitempty"`
	Text       *string      `json:"vs,omitempty"`
	Boolean    *bool        `json:"vb,omitempty"`
	Data       *string      `json:"vd,omitempty"` // base64url without padding
	ObjectLink *string      `json:"vlo,omitempty"`
}

func encodeJSON(records []record) ([]byte, error) {
	written := make([]jsonRecord, 0, len(records))
	for _, one := range records {
		written = append(written, jsonOf(one))
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(written); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(text.Bytes()), nil
}

func jsonOf(one record) jsonRecord {
	written := jsonRecord{BaseName: one.baseName, Name: one.name}
	switch value := one.value.(type) {
	case string:
		written.Text = &value
	case bool:
		written.Boolean = &value
	case int64:
		written.Number = new(json.Number(strconv.FormatInt(value, 10)))
	case float64:
		written.Number = new(json.Number(strconv.FormatFloat(value, 'g', -1, 64)))
	case []byte:
		written.Data = new(base64.RawURLEncoding.EncodeToString(value))
	case ObjectLink:
		written.ObjectLink = new(string(value))
	}
	return written
}

func decodeJSON(data []byte) ([]record, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var read []jsonRecord
	if err := decoder.Decode(&read); err != nil {
		return nil, malformed("SenML JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("SenML JSON with something behind its end")
	}
	records := make([]record, 0, len(read))
	for _, one := range read {
		record, err := one.record()
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

func (j jsonRecord) record() (record, error) {
	read := record{baseName: j.BaseName, name: j.Name}
	var failed []error
	if j.Number != nil {
		number, err := numberOf(*j.Number)
		failed = append(failed, err, read.set(number))
	}
	if j.Text != nil {
		failed = append(failed, read.set(*j.Text))
	}
	if j.Boolean != nil {
		failed = append(failed, read.set(*j.Boolean))
	}
	if j.Data != nil {
		data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(*j.Data, "=")) // some clients pad
		if err != nil {
			return record{}, malformed("SenML JSON data: %w", err)
		}
		failed = append(failed, read.set(data))
	}
	if j.ObjectLink != nil {
		failed = append(failed, read.set(ObjectLink(*j.ObjectLink)))
	}
	return read, errors.Join(failed...)
}

// numberOf is a whole number if it is written as one.
func numberOf(text json.Number) (any, error) {
	if whole, err := text.Int64(); err == nil {
		return whole, nil
	}
	number, err := text.Float64()
	if err != nil {
		return nil, malformed("SenML JSON number %q", text.String())
	}
	return number, nil
}
