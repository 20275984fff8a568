package lwm2m

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/lwm2m/senml"
)

// lookLimit is how long a client may take to show what it has. Some let such
// requests go unanswered, and will not wait for us for long.
const lookLimit = 5 * time.Second

// look asks a client for something that it need not have.
func (b *bootstrapping) look(ctx context.Context, path []string, accept uint16) *coap.Response {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	answer, err := b.session.Do(ctx, &coap.Request{Code: coap.GET, Path: path, Accept: &accept})
	if err != nil || answer.Code != coap.Content {
		return nil
	}
	return answer
}

// discovered is what a standard client said about itself.
type discovered struct {
	security  uint16 // instance for the management server's account
	server    uint16 // instance for its Server object
	versioned bool   // it is a client of LwM2M 1.1 or later
}

// discover asks what the client has (Bootstrap-Discover, LwM2M 1.1 core, section
// 6.1.7.2). Not every client answers, and none has to.
func (b *bootstrapping) discover(ctx context.Context) discovered {
	found := discovered{security: defaultSecurityInstance, server: defaultServerInstance}
	answer := b.look(ctx, nil, lwm2m.FormatLinks)
	if answer == nil {
		return found
	}
	links, version, err := parseDiscovered(printable(string(answer.Payload)))
	if err != nil {
		b.log.Debug("cannot read what a client has", "error", err)
		return found
	}
	found.versioned = version != "" && version != "1.0"
	found.security = placeFor(links, lwm2m.ObjectSecurity, defaultSecurityInstance)
	found.server = placeFor(links, lwm2m.ObjectServer, defaultServerInstance)
	return found
}

// leadingVersion is how clients of LwM2M 1.0 begin: with an attribute of no link.
var leadingVersion = regexp.MustCompile(`^\s*lwm2m="?([0-9.]+)"?\s*(?:,|$)`)

func parseDiscovered(text string) (links []lwm2m.Link, version string, err error) {
	if match := leadingVersion.FindStringSubmatch(text); match != nil {
		text, version = text[len(match[0]):], match[1]
	}
	links, err = lwm2m.ParseLinks(text)
	for _, link := range links {
		if named, has := link.Attribute("lwm2m"); has {
			version = named
		}
	}
	return links, version, err
}

// placeFor chooses an instance of an object: the one that is ours already, told
// by its short server id, or the first that no other server has. The bootstrap
// server's own account has no such id.
func placeFor(links []lwm2m.Link, object, preferred uint16) uint16 {
	taken := map[uint16]bool{}
	for _, link := range links {
		path, err := lwm2m.ParsePath(link.Target)
		if err != nil || len(path) != 2 || path[0] != object {
			continue
		}
		id, _ := link.Attribute("ssid")
		if id == strconv.Itoa(int(cloud.ShortServerID)) {
			return path[1]
		}
		if id == "" && object == lwm2m.ObjectSecurity {
			taken[path[1]] = true
		}
	}
	place := preferred
	for ; taken[place]; place++ {
	}
	return place
}

// readServer reads what a user may have set on the device (Bootstrap-Read,
// section 6.1.7.3), for it to survive; zero if the client does not say.
func (b *bootstrapping) readServer(ctx context.Context, instance uint16) serverSettings {
	path := lwm2m.Path{lwm2m.ObjectServer, instance}
	answer := b.look(ctx, path.Segments(), b.query.formats()[0])
	if answer == nil || answer.ContentFormat == nil {
		return serverSettings{}
	}
	settings, err := settingsOf(*answer.ContentFormat, answer.Payload)
	if err != nil {
		b.log.Debug("cannot read a client's Server object", "error", err)
		return serverSettings{}
	}
	return settings
}

func settingsOf(format uint16, payload []byte) (serverSettings, error) {
	values := map[uint16]any{}
	if format == lwm2m.FormatTLV {
		items, err := lwm2m.DecodeTLV(payload)
		if err != nil {
			return serverSettings{}, err
		}
		if len(items) == 1 && items[0].Kind == lwm2m.ObjectInstance {
			items = items[0].Children
		}
		for _, item := range items {
			values[item.ID] = valueOf(item)
		}
		return pickSettings(values), nil
	}
	entries, err := senml.Decode(format, payload)
	if err != nil {
		return serverSettings{}, err
	}
	for _, entry := range entries {
		if len(entry.Path) == 3 && entry.Path[0] == lwm2m.ObjectServer {
			values[entry.Path[2]] = entry.Value
		}
	}
	return pickSettings(values), nil
}

// valueOf reads the two resources that count here; TLV does not say of what
// type a value is.
func valueOf(item lwm2m.TLV) any {
	if item.ID == lwm2m.ServerLifetime {
		number, err := item.Integer()
		if err == nil {
			return number
		}
		return nil
	}
	return string(item.Value)
}

const shortestLifetime = time.Minute

// bindingMode is a binding mode (appendix E.2, resource 7).
var bindingMode = regexp.MustCompile(`^[UMHTSNQ]{1,7}$`)

func pickSettings(values map[uint16]any) serverSettings {
	var settings serverSettings
	if seconds, ok := values[lwm2m.ServerLifetime].(int64); ok && seconds >= int64(shortestLifetime/time.Second) &&
		seconds <= int64(cloud.LongestLifetime/time.Second) {
		settings.lifetime = time.Duration(seconds) * time.Second
	}
	if text, ok := values[lwm2m.ServerBinding].(string); ok && bindingMode.MatchString(strings.ToUpper(text)) {
		settings.binding = text
	}
	return settings
}
