package storetest

import (
	"time"

	"mbl/internal/cloud"
)

// noon is some time with a fraction as fine as a store keeps.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// id makes an id of the real length that sorts as the names do.
func id(name string) string { return ("00000000000000000000000000000000" + name)[len(name):] }

func account(name string) *cloud.Account {
	return &cloud.Account{
		ID: id(name), AdministratorID: id("ad"), AdministratorsGroup: id("aa"), DevelopersGroup: id("dd"),
		DisplayName: "Ünïcode", Version: 1, CreatedAt: noon, UpdatedAt: noon.Add(time.Hour),
	}
}

func apiKey(account, name string) *cloud.APIKey {
	return &cloud.APIKey{
		ID: id(name), AccountID: id(account), Name: "key " + name, Owner: id("ad"), Groups: []string{id("aa"), id("dd")},
		Active: true, Digest: []byte{1, 2, 0, 255}, Version: 7, CreatedAt: noon, UpdatedAt: noon, LastUsedAt: noon,
	}
}

func certificate(account, name string) *cloud.TrustedCertificate {
	return &cloud.TrustedCertificate{
		ID: id(name), AccountID: id(account), OwnerID: id("ad"), Name: name, Description: "two\nlines",
		Service: cloud.BootstrapService, ExecutionMode: cloud.DeveloperMode, Active: true,
		Certificate: []byte{0x30, 0}, Fingerprint: "fingerprint " + name, Subject: "CN=100% " + name, Issuer: "CN=Issuer " + name,
		NotBefore: noon, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		EndpointName: "endpoint", SealedKey: []byte{9}, Version: 1, CreatedAt: noon, UpdatedAt: noon,
	}
}

func device(account, name string) *cloud.Device {
	return &cloud.Device{
		ID: id(name), AccountID: id(account), EndpointName: "endpoint", EndpointType: "default", Name: name,
		CustomAttributes: map[string]string{}, State: cloud.StateBootstrapped, ExecutionMode: cloud.DeveloperMode,
		CertificateID: id("c1"), IssuerFingerprint: "f", DeviceKey: "AB:CD", VendorID: id("5e"), DeviceClass: id("c5"),
		SerialNumber: "0", BootstrappedAt: noon, BootstrapExpiresAt: noon, ConnectorExpiresAt: noon,
		CreatedAt: noon, UpdatedAt: noon, AutoUpdate: true, Deployment: "dep", HostGateway: "gw", Manifest: "http://m",
		Mechanism: cloud.MechanismConnector, MechanismURL: "http://u",
	}
}

func deviceGroup(account, name string) *cloud.DeviceGroup {
	return &cloud.DeviceGroup{
		ID: id(name), AccountID: id(account), Name: name, Description: "two\nlines", CustomAttributes: map[string]string{"a": "b"},
		CreatedAt: noon, UpdatedAt: noon.Add(time.Hour),
	}
}

func deviceQuery(account, name string) *cloud.DeviceQuery {
	return &cloud.DeviceQuery{
		ID: id(name), AccountID: id(account), Name: name, Query: "state__eq=registered", CreatedAt: noon, UpdatedAt: noon.Add(time.Hour),
	}
}

func registration(account, device string) *cloud.RegistrationRecord {
	return &cloud.RegistrationRecord{
		Registration: cloud.Registration{
			EndpointName: "endpoint", AccountID: id(account), DeviceID: id(device), EndpointType: "default", Binding: "U",
			LwM2MVersion: "1.0", ClientVersion: "4.13.2", RemoteAddr: "[::1]:1", Lifetime: 600 * time.Second,
			Links: []cloud.Link{{Path: "/3/0/2", Attributes: map[string]string{"v": "0", "obs": ""}}, {Path: "/1"}},
		},
		RegisteredAt: noon, ExpiresAt: noon.Add(600 * time.Second),
	}
}

func event(account, name string) *cloud.DeviceEvent {
	return &cloud.DeviceEvent{
		ID: id(name), AccountID: id(account), DeviceID: id("d1"), Type: cloud.EventRegistration, Description: "what happened",
		StateChange: true, Changes: map[string]string{"state": "registered"}, Data: map[string]string{"x": "y"}, At: noon,
	}
}

func deviceCertificate(account, device, fingerprint string) *cloud.DeviceCertificate {
	return &cloud.DeviceCertificate{
		Fingerprint: fingerprint, AccountID: id(account), DeviceID: id(device), CertificateID: id("c1"),
		Status: cloud.CertificateActive, NotAfter: noon.Add(time.Hour), IssuedAt: noon, ChangedAt: noon,
	}
}

func authority() *cloud.AuthorityRecord {
	return &cloud.AuthorityRecord{
		ID: id("ca"), Name: cloud.DeviceAuthority, Certificate: []byte{1}, SealedKey: []byte{2}, CreatedAt: noon,
	}
}
