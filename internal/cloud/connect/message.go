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
	Notifications        []Notification  `json:"notifications,omitempty"`
	Registrations        []Endpoint      `json:"registrations,omitempty"`
	RegUpdates           []Endpoint      `json:"reg-updates,omitempty"`
	DeRegistrations      []Departure     `json:"de-registrations,omitempty"`
	RegistrationsExpired []Departure     `json:"registrations-expired,omitempty"`
}

// stamp tells one event from another, for clients that ask for it.
type stamp struct {
	UID  string `json:"uid,omitempty"`
	Came int64  `json:"timestamp,omitempty"` // Unix, in milliseconds
}

// AsyncResponse is what became of a request.
type AsyncResponse struct {
	ID      string `json:"id"`     // of the request
	Status  int    `json:"status"` // as HTTP has it
	Error   string `json:"error,omitempty"`
	Payload string `json:"payload"` // base64
	Type    string `json:"ct,omitempty"`
	MaxAge  string `json:"max-age,omitempty"` // seconds
	stamp
}

// Notification is a value that a device reported.
type Notification struct {
	ID           string `json:"ep"` // of the device
	OriginalName string `json:"original-ep,omitempty"`
	Path         string `json:"path"`
	Type         string `json:"ct"`      // there are clients that need it, whatever it is
	Payload      string `json:"payload"` // base64
	MaxAge       string `json:"max-age"` // seconds
	stamp
}

// Endpoint is a registered device.
type Endpoint struct {
	ID           string             `json:"ep"`
	OriginalName string             `json:"original-ep,omitempty"`
	Type         string             `json:"ept"`
	QueueMode    bool               `json:"q"`
	Resources    []EndpointResource `json:"resources"`
	stamp
}

// Departure is a device that is not registered any more. Clients are told its
// id alone, unless they ask for an object.
type Departure struct {
	ID           string `json:"ep"`
	OriginalName string `json:"original-ep,omitempty"`
	stamp
	whole bool // written as an object
}

type departure Departure // without methods

// MarshalJSON implements json.Marshaler.
func (d Departure) MarshalJSON() ([]byte, error) {
	if d.whole {
		return json.Marshal(departure(d))
	}
	return json.Marshal(d.ID)
}

// UnmarshalJSON implements json.Unmarshaler for both spellings.
func (d *Departure) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &d.ID)
	}
	return json.Unmarshal(text, (*departure)(d))
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
	m.Notifications = append(m.Notifications, other.Notifications...)
	m.Registrations = append(m.Registrations, other.Registrations...)
	m.RegUpdates = append(m.RegUpdates, other.RegUpdates...)
	m.DeRegistrations = append(m.DeRegistrations, other.DeRegistrations...)
	m.RegistrationsExpired = append(m.RegistrationsExpired, other.RegistrationsExpired...)
}

// events is how many things a message tells.
func (m *Message) events() int {
	return len(m.AsyncResponses) + len(m.Notifications) + len(m.Registrations) +
		len(m.RegUpdates) + len(m.DeRegistrations) + len(m.RegistrationsExpired)
}

// stamps are those of all events of a message.
func (m *Message) stamps() []*stamp {
	stamps := make([]*stamp, 0, m.events())
	for i := range m.AsyncResponses {
		stamps = append(stamps, &m.AsyncResponses[i].stamp)
	}
	for i := range m.Notifications {
		stamps = append(stamps, &m.Notifications[i].stamp)
	}
	for _, endpoints := range [][]Endpoint{m.Registrations, m.RegUpdates} {
		for i := range endpoints {
			stamps = append(stamps, &endpoints[i].stamp)
		}
	}
	for _, departures := range [][]Departure{m.DeRegistrations, m.RegistrationsExpired} {
		for i := range departures {
			stamps = append(stamps, &departures[i].stamp)
		}
	}
	return stamps
}

// kinds is a number for which kinds of events a message has.
func (m *Message) kinds() (kinds int) {
	for i, has := range []bool{
		len(m.AsyncResponses) > 0, len(m.Notifications) > 0, len(m.Registrations) > 0,
		len(m.RegUpdates) > 0, len(m.DeRegistrations) > 0, len(m.RegistrationsExpired) > 0,
	} {
		if has {
			kinds |= 1 << i
		}
	}
	return kinds
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

func notified(deviceID, name, path string, value Value) *Message {
	return &Message{Notifications: []Notification{{
		ID:           deviceID,
		OriginalName: name,
		Path:         path,
		Type:         value.Type,
		Payload:      base64.StdEncoding.EncodeToString(value.Payload),
		MaxAge:       strconv.Itoa(int(value.MaxAge.Seconds())),
	}}}
}

func failed(id string, f failure) *Message {
	return &Message{AsyncResponses: []AsyncResponse{{ID: id, Status: f.status, Error: f.word}}}
}
