package lwm2m

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

const transcripts = "../../../testdata/vectors/transcripts/complete/"

// Who a recorded connection was with.
const (
	bootstrap  = "BS"
	management = "LW"
)

// recordedMessage is a message of the original client or its test server.
type recordedMessage struct {
	fromClient bool
	raw        []byte
	line       string
}

func (r recordedMessage) parse(t *testing.T) *coap.Message {
	t.Helper()
	m, err := coap.ParseMessage(r.raw)
	if err != nil {
		t.Fatalf("%s: %v", r.line, err)
	}
	return m
}

// recordedConnection is one connection of the client to one of the servers.
type recordedConnection struct {
	role        string
	certificate *x509.Certificate // its subject alone
	resumed     bool
	messages    []recordedMessage
}

// recording is what one experiment recorded, up to a time.
type recording struct{ connections []*recordedConnection }

var (
	messageLine    = regexp.MustCompile(`^\s*([\d.]+) (BS|LW) (<<|>>) .*\| hex ([0-9a-f]+)$`)
	connectionLine = regexp.MustCompile(`^\s*([\d.]+) (BS|LW) (?:connected|DTLS session up)(.*)$`)
	subjectPart    = regexp.MustCompile(`(?:(L|OU|CN)=|'(localityName|organizationalUnitName|commonName)': ')(\w+)`)
	lines          = regexp.MustCompile(`(?m)^.*$`)
)

// readRecording reads a transcript as far as `until` seconds.
func readRecording(t *testing.T, name string, until float64) *recording {
	t.Helper()
	text, err := os.ReadFile(transcripts + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{}
	current := map[string]*recordedConnection{}
	for _, line := range lines.FindAllString(string(text), -1) {
		if match := connectionLine.FindStringSubmatch(line); match != nil && before(match[1], until) {
			c := &recordedConnection{
				role:        match[2],
				certificate: subject(match[3]),
				resumed:     strings.Contains(match[3], "reused True"),
			}
			current[c.role] = c
			r.connections = append(r.connections, c)
		}
		if match := messageLine.FindStringSubmatch(line); match != nil && before(match[1], until) {
			raw, err := hex.DecodeString(match[4])
			if err != nil {
				t.Fatal(err)
			}
			c := current[match[2]]
			c.messages = append(c.messages, recordedMessage{match[3] == "<<", raw, line})
		}
	}
	if len(r.connections) < 2 {
		t.Fatalf("only %d connections in %s", len(r.connections), name)
	}
	return r
}

func before(text string, until float64) bool {
	at, err := strconv.ParseFloat(text, 64)
	return err == nil && at < until
}

// subject makes a certificate of the names in a transcript's line.
func subject(text string) *x509.Certificate {
	var name pkix.Name
	for _, match := range subjectPart.FindAllStringSubmatch(text, -1) {
		switch match[1] + match[2] {
		case "L", "localityName":
			name.Locality = []string{match[3]}
		case "OU", "organizationalUnitName":
			name.OrganizationalUnit = []string{match[3]}
		default:
			name.CommonName = match[3]
		}
	}
	return &x509.Certificate{Subject: name, Raw: []byte(name.String())}
}

// grants are the credentials that the recorded server wrote, in order.
func (r *recording) grants(t *testing.T) []*cloud.BootstrapGrant {
	t.Helper()
	var grants []*cloud.BootstrapGrant
	var payload []byte
	for _, c := range r.connections {
		for _, recorded := range c.messages {
			m := recorded.parse(t)
			if recorded.fromClient || m.Code != coap.PUT || m.Options.Strings(coap.URIPath)[0] != "0" {
				continue
			}
			payload = append(payload, m.Payload...)
			if number, _ := m.Options.Uint(coap.Block1); number&8 == 0 {
				grants = append(grants, grantOf(t, payload))
				payload = nil
			}
		}
	}
	return grants
}

func grantOf(t *testing.T, payload []byte) *cloud.BootstrapGrant {
	t.Helper()
	items, err := lwm2m.DecodeTLV(payload)
	if err != nil || len(items) != 1 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	account, err := lwm2m.SecurityOf(items[0])
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(account.ClientCertificate)
	if err != nil {
		t.Fatal(err)
	}
	return &cloud.BootstrapGrant{
		AccountID:         certificate.Subject.OrganizationalUnit[0],
		EndpointName:      certificate.Subject.CommonName,
		DeviceID:          certificate.Subject.Locality[0],
		ServerURI:         account.ServerURI,
		ShortServerID:     account.ShortServerID,
		DeviceCertificate: account.ClientCertificate,
		ServerCA:          account.ServerCA,
		PrivateKey:        account.PrivateKey,
	}
}

// decisions are what the recorded server answered to registrations, updates
// and de-registrations, in order, as errors of the service.
func (r *recording) decisions(t *testing.T) []error {
	t.Helper()
	var decided []error
	for _, c := range r.connections {
		if c.role != management {
			continue
		}
		for _, recorded := range c.messages {
			m := recorded.parse(t)
			if recorded.fromClient || m.Type != coap.Acknowledgement || m.Code == coap.Empty || m.Code == coap.Continue {
				continue
			}
			decided = append(decided, map[coap.Code]error{
				coap.NotFound:   cloud.ErrNotFound,
				coap.Forbidden:  cloud.ErrForbidden,
				coap.BadRequest: cloud.ErrInvalid,
			}[m.Code])
		}
	}
	return decided
}
