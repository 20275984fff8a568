package connect

import (
	"encoding/json"
	"strconv"
	"strings"

	"mbl/internal/cloud"
)

// Bounds of a message's events that a client may ask for.
const (
	leastChunk = 100
	mostChunk  = 10_000
)

// serialization is how a client wants its messages: the object of that name of
// its channel.
type serialization struct {
	chunk   int  // events in a message at most
	sorted  bool // each message has events of one kind
	objects bool // departures are objects
	uids    bool
	times   bool
	names   bool // events of devices say their endpoint names
}

func usualSerialization() serialization { return serialization{chunk: eventsOfMessage} }

// parseSerialization reads what a client wants. Clients write numbers, true and
// false as texts too. Those that want anything look at one kind of events in a
// message and no further.
func parseSerialization(text json.RawMessage) (serialization, error) {
	wanted := usualSerialization()
	if len(text) == 0 || string(text) == "null" {
		return wanted, nil
	}
	var said struct {
		Type   string          `json:"type"`
		Chunk  json.RawMessage `json:"max_chunk_size"`
		Config struct {
			Objects json.RawMessage `json:"deregistrations_as_object"`
			UIDs    json.RawMessage `json:"include_uid"`
			Times   json.RawMessage `json:"include_timestamp"`
			Names   json.RawMessage `json:"include_original_ep"`
		} `json:"cfg"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return wanted, cloud.RefuseField("serialization", "is not an object with a type, a max_chunk_size and a cfg")
	}
	if said.Type != "" && said.Type != "v2" {
		return wanted, cloud.RefuseField("serialization", "has a type other than v2")
	}
	wanted.sorted = true
	for _, flag := range []struct {
		name string
		text json.RawMessage
		set  *bool
	}{
		{"deregistrations_as_object", said.Config.Objects, &wanted.objects},
		{"include_uid", said.Config.UIDs, &wanted.uids},
		{"include_timestamp", said.Config.Times, &wanted.times},
		{"include_original_ep", said.Config.Names, &wanted.names},
	} {
		switch strings.Trim(string(flag.text), `"`) {
		case "true":
			*flag.set = true
		case "", "false", "null":
		default:
			return wanted, cloud.RefuseField("serialization", "has a %s that is neither true nor false", flag.name)
		}
	}
	number := strings.Trim(string(said.Chunk), `"`)
	if number == "" || number == "null" {
		return wanted, nil
	}
	chunk, err := strconv.Atoi(number)
	if err != nil || chunk < leastChunk || chunk > mostChunk {
		return wanted, cloud.RefuseField("serialization", "has a max_chunk_size that is not between %d and %d", leastChunk, mostChunk)
	}
	wanted.chunk = chunk
	return wanted, nil
}

// dress is a copy of a message as the client wants it.
func (f serialization) dress(m *Message) *Message {
	dressed := &Message{}
	dressed.add(m)
	for _, stamp := range dressed.stamps() {
		if !f.uids {
			stamp.UID = ""
		}
		if !f.times {
			stamp.Came = 0
		}
	}
	for i := range dressed.Notifications {
		if !f.names {
			dressed.Notifications[i].OriginalName = ""
		}
	}
	for _, departures := range [][]Departure{dressed.DeRegistrations, dressed.RegistrationsExpired} {
		for i := range departures {
			departures[i].whole = f.objects
			if !f.names {
				departures[i].OriginalName = ""
			}
		}
	}
	return dressed
}
