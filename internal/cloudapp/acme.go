package cloudapp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"mbl/internal/usererr"
)

// acmeOptions say for which names the HTTPS certificate comes from an ACME
// authority (RFC 8555), and from which.
type acmeOptions struct {
	hosts     []string // none: no authority is asked
	directory string   // URL
	caFile    string   // PEM; empty: the system's authorities
	email     string   // may be empty
}

const acmeTimeout = 30 * time.Second // of one request to the authority

func (o acmeOptions) check() error {
	for _, host := range o.hosts {
		// Authorities sign for names of the public DNS, and ask for them in
		// lower case.
		if err := checkHost(host); err != nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".") || host != strings.ToLower(host) {
			return usererr.Usage("--acme is %q, and not a whole host name in lower case, as mycloud.example.net", host)
		}
	}
	if len(o.hosts) == 0 && (o.caFile != "" || o.email != "") {
		return usererr.Usage("--acme-ca-file and --acme-email need --acme")
	}
	return nil
}

// acmeIssuer has an ACME authority sign the certificates of some names. The
// authority convinces itself by connecting to port 443 of each (tls-alpn-01,
// RFC 8737).
type acmeIssuer struct {
	hosts   []string
	manager *autocert.Manager
	log     *slog.Logger
}

func newACMEIssuer(data folder, options acmeOptions, log *slog.Logger) (*acmeIssuer, error) {
	client := &acme.Client{DirectoryURL: options.directory, HTTPClient: &http.Client{Timeout: acmeTimeout}}
	if options.caFile != "" {
		roots, err := readRoots(options.caFile)
		if err != nil {
			return nil, err
		}
		client.HTTPClient.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		}
	}
	return &acmeIssuer{hosts: options.hosts, log: log, manager: &autocert.Manager{
		Prompt:     autocert.AcceptTOS, // who gives the flag does
		Cache:      autocert.DirCache(data.acme()),
		HostPolicy: autocert.HostWhitelist(options.hosts...),
		Client:     client,
		Email:      options.email,
	}}, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, failure("cannot read the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, failure("there is no PEM certificate in %s", file)
	}
	return roots, nil
}

// over answers for its names and for the authority itself, and leaves the rest
// to other: who connects by an address, or from this machine.
func (a *acmeIssuer) over(other getCertificate) getCertificate {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if !slices.Contains(a.hosts, strings.ToLower(hello.ServerName)) {
			return other(hello)
		}
		certificate, err := a.manager.GetCertificate(hello)
		if err != nil {
			a.log.Warn("there is no HTTPS certificate from the ACME authority", "host", hello.ServerName, "error", err)
		}
		return certificate, err
	}
}

// fetch gets every certificate now, so that the log says at the start whether
// it works and the first client need not wait.
func (a *acmeIssuer) fetch(ctx context.Context) error {
	for _, host := range a.hosts {
		certificate, err := a.manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName:       host,
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
			SupportedCurves:  []tls.CurveID{tls.CurveP256},
			CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			a.log.Warn("cannot get an HTTPS certificate; port 443 of the host must lead to --https, from the authority's place. It is tried again when a client connects",
				"host", host, "authority", a.manager.Client.DirectoryURL, "error", err)
			continue
		}
		a.log.Info("HTTPS certificate of the ACME authority", "host", host, "until", certificate.Leaf.NotAfter)
	}
	return nil
}
