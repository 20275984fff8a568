package connect

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"mbl/internal/cloud"
)

// Message is what a channel delivers at once, in the form clients get it.
type Message struct {
	AsyncResponses       []AsyncResponse `json:"async-responses,omitempty"`
	Registrations        []Endpoint      `json:"registrations,omitempty"`
	RegUpdates           []Endpoint      `json:"reg-updates,omitempty"`
	DeRegistrations      []string        `json:"de-registrations,omitempty"`      // device ids
	RegistrationsExpired []string        `json:"registrations-expired,omitempty"` // device ids
}

// AsyncResponse is what became of a request.
type AsyncResponse struct {
	ID      string `json:"id"`     // of the request
	Status  int    `json:"status"` // as HTTP has it
	Error   string `json:"error,omitempty"`
	Payload string `json:"payload"` // base64
	Type    string `json:"ct,omitempty"`
	MaxAge  string `json:"max-age,omitempty"` // seconds
}

// Endpoint is a registered device.
type Endpoint struct {
	ID           string             `json:"ep"`
	OriginalName string             `json:"original-ep,omitempty"`
	Type         string             `json:"ept"`
	QueueMode    bool               `json:"q"`
	Resources    []EndpointResource `json:"resources"`
}

// EndpointResource is a resource of a registered device.
type EndpointResource struct {
	Path       string `json:"path"`
	Type       string `json:"rt,omitempty"`
	Interface  string `json:"if,omitempty"`
	Format     string `json:"ct,omitempty"`
	Observable bool   `json:"obs"`
}

func newEndpoint(record *cloud.RegistrationRecord) Endpoint {
	endpoint := Endpoint{
		ID:           record.DeviceID,
		OriginalName: record.EndpointName,
		Type:         record.EndpointType,
		QueueMode:    queueMode(record.Binding),
		Resources:    make([]EndpointResource, 0, len(record.Links)),
	}
	for _, link := range record.Links {
		endpoint.Resources = append(endpoint.Resources, EndpointResource{
			Path:       link.Path,
			Type:       link.Attributes["rt"],
			Interface:  link.Attributes["if"],
			Format:     link.Attributes["ct"],
			Observable: Observable(link),
		})
	}
	return endpoint
}

// Observable tells whether a registered resource reports its changes: when
// asked (obs) or by itself (aobs).
func Observable(link cloud.Link) bool {
	_, asked := link.Attributes["obs"]
	_, always := link.Attributes["aobs"]
	return asked || always
}

// queueMode tells whether a device with a binding (LwM2M 1.0, section 8.3) is
// reached only after it has been heard of.
func queueMode(binding string) bool { return strings.Contains(binding, "Q") }

func (m *Message) add(other *Message) {
	m.AsyncResponses = append(m.AsyncResponses, other.AsyncResponses...)
	m.Registrations = append(m.Registrations, other.Registrations...)
	m.RegUpdates = append(m.RegUpdates, other.RegUpdates...)
	m.DeRegistrations = append(m.DeRegistrations, other.DeRegistrations...)
	m.RegistrationsExpired = append(m.RegistrationsExpired, other.RegistrationsExpired...)
}

// size is about how much memory a message takes, in bytes.
func (m *Message) size() int {
	text, err := json.Marshal(m)
	if err != nil { // cannot be: texts and numbers
		return 0
	}
	return len(text)
}

func answered(id string, status int, value Value) *Message {
	return &Message{AsyncResponses: []AsyncResponse{{
		ID:      id,
		Status:  status,
		Payload: base64.StdEncoding.EncodeToString(value.Payload),
		Type:    value.Type,
		MaxAge:  strconv.Itoa(int(value.MaxAge.Seconds())),
	}}}
}

func failed(id string, f failure) *Message {
	return &Message{AsyncResponses: []AsyncResponse{{ID: id, Status: f.status, Error: f.word}}}
}
