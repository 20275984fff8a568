package device

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"regexp"
	"strings"
	"time"

	"mbl/internal/keystore"
	"mbl/internal/pki"
)

// Finding is something about the stored credentials, in the words of the
// original's verification (fcc_output_info_handler.c).
type Finding struct {
	Text string // with the final colon
	Item string
}

func (f Finding) String() string { return f.Text + f.Item }

// Report is the result of Verify.
type Report struct {
	Problem  *Finding // the first thing that is wrong; nil if the device is provisioned
	Warnings []Finding
}

// The texts of findings.
const (
	textMissing     = "Item does not exist:"
	textEmpty       = "Item empty:"
	textSize        = "Item size is wrong:"
	textMode        = "Bootstrap mode value incorrect:"
	textURI         = "URI format incorrect:"
	textKeyMismatch = "Certificate public key validation failed:"
	textCommonName  = "Certificate CN attribute invalid:"
	textUnparsable  = "Certificate parse failed:"
	textExpired     = "Certificate expired:"
	textUTCOffset   = "UTC offset incorrect:"
	textDamaged     = "File data corrupted:"
	textStorage     = "File operation general error:"

	warnNotSet     = "Item not set:"
	warnMode       = "Bootstrap mode not activated:"
	warnRedundant  = "Item redundant:"
	warnSelfSigned = "Certificate is self signed:"
	warnNoTime     = "Certificate validity cannot be checked:"
	warnShort      = "Certificate validity is less than 10 years:"
)

// clockIsSet is the earliest time a device's clock is believed: 2017-01-01,
// the original's limit.
var clockIsSet = time.Unix(1483264800, 0)

// utcOffset is "+hh:mm" or "-hh:mm".
var utcOffset = regexp.MustCompile(`^[+-][0-9]{2}:[0-9]{2}$`)

// Verify checks the stored credentials as the original's
// fcc_verify_device_configured_4mbed_cloud does, in its order: they are there
// and fit together. It does not ask the service. now is the device's clock;
// times before 2017 mean that it has none.
func Verify(store keystore.Store, now time.Time) Report {
	v := &verification{store: store, now: now}
	v.problem = v.run()
	return Report{Problem: v.problem, Warnings: v.warnings}
}

type verification struct {
	store    keystore.Store
	now      time.Time
	problem  *Finding
	warnings []Finding
}

func (v *verification) run() *Finding {
	if problem := v.checkTime(); problem != nil {
		return problem
	}
	account, problem := v.account()
	if problem != nil {
		return problem
	}
	for _, check := range []func(accountItems) *Finding{
		v.checkEndpointName, v.checkDeviceInfo, v.checkCA, v.checkURI, v.checkCertificate, v.checkUpdate,
	} {
		if problem := check(account); problem != nil {
			return problem
		}
	}
	return nil
}

func (v *verification) warn(text, item string) {
	v.warnings = append(v.warnings, Finding{text, item})
}

// lookup returns an item; present is false if there is none.
func (v *verification) lookup(item string) (data []byte, present bool, problem *Finding) {
	data, err := v.store.Get(item)
	switch {
	case err == nil:
		return data, true, nil
	case errors.Is(err, keystore.ErrNotFound):
		return nil, false, nil
	case errors.Is(err, keystore.ErrDamaged):
		return nil, false, &Finding{textDamaged, item}
	default:
		return nil, false, &Finding{textStorage, item}
	}
}

// demand returns an item that must be there.
func (v *verification) demand(item string) ([]byte, *Finding) {
	data, present, problem := v.lookup(item)
	if problem == nil && !present {
		problem = &Finding{textMissing, item}
	}
	return data, problem
}

// demandFilled returns an item that must be there and hold something.
func (v *verification) demandFilled(item string) ([]byte, *Finding) {
	data, problem := v.demand(item)
	if problem == nil && len(data) == 0 {
		problem = &Finding{textEmpty, item}
	}
	return data, problem
}

func (v *verification) hasTime() bool { return !v.now.Before(clockIsSet) }

func (v *verification) checkTime() *Finding {
	if !v.hasTime() {
		v.warn(warnNotSet, itemCurrentTime)
	}
	for _, item := range []string{itemTimezone, itemUTCOffset} {
		data, present, problem := v.lookup(item)
		switch {
		case problem != nil:
			return problem
		case !present:
			v.warn(warnNotSet, item)
		case item == itemUTCOffset && !utcOffset.Match(data):
			return &Finding{textUTCOffset, item}
		}
	}
	return nil
}

// account returns the items of the server account the device starts from.
func (v *verification) account() (accountItems, *Finding) {
	data, problem := v.demand(itemUseBootstrap)
	if problem != nil {
		return accountItems{}, problem
	}
	if len(data) != 4 {
		return accountItems{}, &Finding{textSize, itemUseBootstrap}
	}
	switch binary.LittleEndian.Uint32(data) {
	case 0:
		v.warn(warnMode, itemUseBootstrap)
		return lwm2mAccount(), nil
	case 1:
		return bootstrapAccount(), nil
	default:
		return accountItems{}, &Finding{textMode, itemUseBootstrap}
	}
}

func (v *verification) checkEndpointName(accountItems) *Finding {
	name, present, problem := v.lookup(itemEndpointName)
	if problem == nil && (!present || len(name) == 0) {
		problem = &Finding{textEmpty, itemEndpointName}
	}
	return problem
}

func (v *verification) checkDeviceInfo(accountItems) *Finding {
	for _, item := range []string{
		itemManufacturer, itemModelNumber, itemDeviceType, itemHardwareVersion, itemMemoryTotalKB, itemSerialNumber,
	} {
		if _, problem := v.demand(item); problem != nil {
			return problem
		}
	}
	return nil
}

func (v *verification) checkCA(a accountItems) *Finding {
	ca, problem := v.demandFilled(a.ca)
	if problem != nil {
		return problem
	}
	if _, err := pki.ParseCertificate(ca); err != nil {
		return &Finding{textUnparsable, a.ca}
	}
	other := lwm2mAccount().ca
	if a == lwm2mAccount() {
		other = bootstrapAccount().ca
	}
	if _, present, _ := v.lookup(other); present {
		v.warn(warnRedundant, other)
	}
	return nil
}

func (v *verification) checkURI(a accountItems) *Finding {
	data, problem := v.demandFilled(a.uri)
	if problem != nil {
		return problem
	}
	uri := string(data)
	hasScheme := strings.HasPrefix(uri, "coap://") || strings.HasPrefix(uri, "coaps://")
	hasAccount := strings.Contains(uri, "?aid=") || strings.Contains(uri, "&aid=")
	if !hasScheme || hasAccount == v.isFirstToClaim() {
		return &Finding{textURI, a.uri}
	}
	return nil
}

// isFirstToClaim: such a device belongs to no account yet.
func (v *verification) isFirstToClaim() bool {
	data, _, _ := v.lookup(itemFirstToClaim)
	return bytes.Equal(data, []byte{1, 0, 0, 0})
}

func (v *verification) checkCertificate(a accountItems) *Finding {
	keyDER, problem := v.demandFilled(a.key)
	if problem != nil {
		return problem
	}
	certDER, problem := v.demandFilled(a.cert)
	if problem != nil {
		return problem
	}
	cert, err := pki.ParseCertificate(certDER)
	if err != nil {
		return &Finding{textUnparsable, a.cert}
	}
	key, err := pki.ParsePrivateKey(keyDER)
	if err != nil || !pki.KeyMatches(cert, key) {
		return &Finding{textKeyMismatch, a.cert}
	}
	if problem := v.checkName(a, cert); problem != nil {
		return problem
	}
	if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		v.warn(warnSelfSigned, a.cert)
	}
	return v.checkValidity(a.cert, cert, a == bootstrapAccount())
}

func (v *verification) checkName(a accountItems, cert *x509.Certificate) *Finding {
	endpoint, problem := v.demand(itemEndpointName)
	if problem != nil {
		return problem
	}
	if cert.Subject.CommonName != string(endpoint) {
		return &Finding{textCommonName, a.cert}
	}
	return nil
}

// checkValidity: like the original, an expired bootstrap certificate is worth
// a warning only; the bootstrap server decides.
func (v *verification) checkValidity(item string, cert *x509.Certificate, tolerant bool) *Finding {
	switch {
	case !v.hasTime():
		v.warn(warnNoTime, item)
	case v.now.After(cert.NotAfter) && !tolerant:
		return &Finding{textExpired, item}
	case v.now.After(cert.NotAfter):
		v.warn(textExpired, item)
	case cert.NotAfter.Before(v.now.AddDate(10, 0, 0)):
		v.warn(warnShort, item)
	}
	return nil
}

func (v *verification) checkUpdate(accountItems) *Finding {
	certDER, present, problem := v.lookup(itemUpdateCert)
	switch {
	case problem != nil:
		return problem
	case !present:
		v.warn(warnNotSet, itemUpdateCert)
	default:
		cert, err := pki.ParseCertificate(certDER)
		if err != nil {
			return &Finding{textUnparsable, itemUpdateCert}
		}
		if problem := v.checkValidity(itemUpdateCert, cert, false); problem != nil {
			return problem
		}
	}
	for _, item := range []string{itemClassID, itemVendorID} {
		id, present, problem := v.lookup(item)
		switch {
		case problem != nil:
			return problem
		case !present:
			v.warn(warnNotSet, item)
		case len(id) != 16:
			return &Finding{textSize, item}
		}
	}
	return nil
}
