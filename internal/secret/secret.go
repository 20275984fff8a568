// Package secret holds texts that must not reach a log, an error or a JSON
// document by accident: API keys, passwords, PEM private keys.
package secret

import "log/slog"

const redacted = "REDACTED"

// Text is a secret text. Every way of printing it says REDACTED; Reveal is
// the only way to the text itself.
type Text struct{ text string }

// New wraps a secret.
func New(text string) Text { return Text{text: text} }

// Reveal returns the secret itself.
func (t Text) Reveal() string { return t.text }

// Empty tells whether there is no secret.
func (t Text) Empty() bool { return t.text == "" }

func (t Text) String() string { return redacted }

// GoString keeps %#v from showing the field.
func (t Text) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }
