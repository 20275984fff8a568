package lwm2m

import (
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// linksOf reads the body of a registration or update: nil when it is empty. Of
// the original client's what can be read is enough: it puts values there as they
// are, and would bootstrap again, for ever, if it were refused.
func linksOf(req *coap.Request, original bool) ([]cloud.Link, error) {
	if len(req.Payload) == 0 {
		return nil, nil
	}
	text := printable(string(req.Payload))
	parsed, err := lwm2m.ParseLinks(text)
	switch {
	case err != nil && original:
		parsed = lwm2m.ReadableLinks(text)
	case err != nil:
		return nil, cloud.RefuseField("links", "cannot be read: %v", err)
	}
	if len(parsed) > cloud.MaxLinks {
		return nil, errTooManyLinks
	}
	links := make([]cloud.Link, 0, len(parsed))
	for _, link := range parsed {
		attributes := map[string]string{}
		for _, attribute := range link.Attributes {
			attributes[attribute.Name] = attribute.Value
		}
		links = append(links, cloud.Link{Path: link.Target, Attributes: attributes})
	}
	return links, nil
}

// printable makes text of what a device sends: attributes carry the values of
// resources, which may be anything.
func printable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// linksFormat tells whether a body may be read as links. Original clients say
// so, or nothing.
func linksFormat(format *uint16) bool {
	return format == nil || *format == lwm2m.FormatLinks || *format == lwm2m.FormatText
}
