package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/lwm2m/senml"
	"mbl/internal/pki"
)

// Standard clients are those of OMA LwM2M 1.0 and later that are not the
// original one, which names its version in every bootstrap request. They get the
// sequence of LwM2M 1.1 core, section 6.1.7: what is there is looked at, what is
// old deleted, and the management server's account written with its Server
// object, which they cannot do without.

// isOriginal tells by its request whether a client is the original one, or
// behaves like it.
func (q query) isOriginal() bool {
	_, named := q["mccv"]
	return named
}

// formats are the content formats to try, the best first: the one that the
// client prefers (pct, since LwM2M 1.1), then TLV, which every client of 1.0 has.
func (q query) formats() []uint16 {
	known := []uint16{lwm2m.FormatTLV, senml.FormatCBOR, senml.FormatJSON}
	for _, format := range known {
		if q["pct"] == fmt.Sprint(format) {
			return append([]uint16{format}, known...)
		}
	}
	return known
}

// Instances where nothing is known of the client's own: a bootstrap server's
// account commonly stands in the first.
const (
	defaultSecurityInstance = 1
	defaultServerInstance   = 0
)

// writeStandard is the sequence for standard clients.
func (b *bootstrapping) writeStandard(ctx context.Context, grant *cloud.BootstrapGrant) error {
	found := b.discover(ctx)
	if _, named := b.query["pct"]; named {
		found.versioned = true
	}
	kept := b.readServer(ctx, found.server)
	for _, object := range []string{"0", "1"} {
		if err := b.clear(ctx, object); err != nil {
			return err
		}
	}
	account, err := standardAccount(grant, found, overTCP(b.conn))
	if err != nil {
		return err
	}
	server := kept.entries(grant.ShortServerID, found.server, overTCP(b.conn))
	for _, instance := range [][]senml.Entry{account, server} {
		if err := b.putInstance(ctx, instance); err != nil {
			return err
		}
	}
	return b.finish(ctx, grant)
}

// clear deletes an object's instances; a client keeps its bootstrap server's
// account by itself. One that refuses is written to all the same.
func (b *bootstrapping) clear(ctx context.Context, object string) error {
	answer, err := b.session.Do(ctx, &coap.Request{Code: coap.DELETE, Path: []string{object}})
	if err != nil {
		return err
	}
	if answer.Code != coap.Deleted {
		b.log.Debug("object not deleted", "object", object, "code", answer.Code.String())
	}
	return nil
}

// putInstance writes an object instance in the first format the client takes.
func (b *bootstrapping) putInstance(ctx context.Context, instance []senml.Entry) error {
	var last error
	for _, format := range b.query.formats() {
		payload, err := encodeInstance(format, instance)
		if err != nil {
			return err
		}
		put := &coap.Request{
			Code: coap.PUT, Path: instance[0].Path[:2].Segments(), ContentFormat: &format, Payload: payload,
		}
		last = b.expect(ctx, put, coap.Changed)
		var refused *answerError
		if !errors.As(last, &refused) || refused.code != coap.UnsupportedContentFormat {
			return last
		}
	}
	return last
}

// encodeInstance writes the resources of one object instance.
func encodeInstance(format uint16, instance []senml.Entry) ([]byte, error) {
	if format != lwm2m.FormatTLV {
		return senml.Encode(format, instance)
	}
	resources := make([]lwm2m.TLV, 0, len(instance))
	for _, entry := range instance {
		resources = append(resources, tlvOf(entry))
	}
	return lwm2m.EncodeTLV(resources...)
}

func tlvOf(entry senml.Entry) lwm2m.TLV {
	id := entry.Path[len(entry.Path)-1]
	switch value := entry.Value.(type) {
	case string:
		return lwm2m.Text(id, value)
	case bool:
		return lwm2m.Boolean(id, value)
	case int64:
		return lwm2m.Integer(id, value)
	default:
		return lwm2m.Opaque(id, value.([]byte))
	}
}

// trustAnchor is the certificate usage (RFC 6698 section 2.1.1; Security object,
// resource 15) of a CA certificate as the server's public key. Without it the key
// would have to be the server's very own, which does not outlive a restart.
const trustAnchor int64 = 2

// standardAccount is the Security object instance (LwM2M 1.1 core, appendix E.1).
func standardAccount(grant *cloud.BootstrapGrant, found discovered, tcp bool) ([]senml.Entry, error) {
	key, err := pki.ParsePrivateKey(grant.PrivateKey)
	if err != nil {
		return nil, err
	}
	private, err := pki.MarshalPKCS8(key)
	if err != nil {
		return nil, err
	}
	uri, _, _ := strings.Cut(grant.ServerURI, "?")
	if tcp {
		uri = strings.Replace(uri, "coaps://", "coaps+tcp://", 1) // RFC 8323 section 8.4
	}
	at := func(resource uint16, value any) senml.Entry {
		return senml.Entry{Path: lwm2m.Path{lwm2m.ObjectSecurity, found.security, resource}, Value: value}
	}
	account := []senml.Entry{
		at(lwm2m.SecurityServerURI, uri),
		at(lwm2m.SecurityBootstrapServer, false),
		at(lwm2m.SecurityMode, int64(lwm2m.SecurityModeCertificate)),
		at(lwm2m.SecurityPublicKey, grant.DeviceCertificate),
		at(lwm2m.SecurityServerPublicKey, grant.ServerCA),
		at(lwm2m.SecuritySecretKey, private),
		at(lwm2m.SecurityShortServerID, int64(grant.ShortServerID)),
	}
	if found.versioned {
		account = append(account, at(lwm2m.SecurityCertificateUsage, trustAnchor))
	}
	return account, nil
}

// serverSettings are what a user may have set on a device about the server.
type serverSettings struct {
	lifetime time.Duration // 0: unknown
	binding  string        // empty: unknown
}

// entries are the Server object instance (LwM2M 1.1 core, appendix E.2).
func (s serverSettings) entries(shortID, instance uint16, tcp bool) []senml.Entry {
	lifetime, binding := cloud.DefaultLifetime, "U"
	if tcp {
		binding = "T"
	}
	if s.lifetime > 0 {
		lifetime = s.lifetime
	}
	if s.binding != "" {
		binding = s.binding
	}
	at := func(resource uint16, value any) senml.Entry {
		return senml.Entry{Path: lwm2m.Path{lwm2m.ObjectServer, instance, resource}, Value: value}
	}
	return []senml.Entry{
		at(lwm2m.ServerShortID, int64(shortID)),
		at(lwm2m.ServerLifetime, int64(lifetime/time.Second)),
		at(lwm2m.ServerNotification, false),
		at(lwm2m.ServerBinding, binding),
	}
}
