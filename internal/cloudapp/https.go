package cloudapp

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"sync"
	"time"

	"mbl/internal/atomicfile"
	"mbl/internal/cloud"
	"mbl/internal/pki"
)

// How long an HTTPS certificate is used. Some clients take none for more than
// 398 days.
const (
	httpsValidity = 397 * 24 * time.Hour
	httpsRenewal  = 30 * 24 * time.Hour // before it ends
)

// getCertificate chooses the certificate for a client (tls.Config).
type getCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// httpsConfig uses the files given, else certificates of the service's own
// authority, whose certificate it leaves in the data folder as caFile.
func httpsConfig(ctx context.Context, service *cloud.Service, data folder, options serveOptions, hosts []string) (config *tls.Config, caFile string, err error) {
	if options.httpsCert != "" {
		certificate, err := tls.LoadX509KeyPair(options.httpsCert, options.httpsKey)
		if err != nil {
			return nil, "", failure("cannot use the HTTPS certificate: %w", err)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}, "", nil
	}
	issuer := &httpsIssuer{service: service, hosts: append([]string{"localhost", "127.0.0.1", "::1"}, hosts...)}
	if _, err := issuer.certificate(nil); err != nil {
		return nil, "", err
	}
	ca, err := service.AuthorityCertificate(ctx, cloud.HTTPSAuthority)
	if err != nil {
		return nil, "", err
	}
	if err := atomicfile.Write(data.httpsCA(), []byte(pki.CertificatePEM(ca)), 0o644); err != nil {
		return nil, "", err
	}
	// run.json is read from other folders than ours.
	if caFile, err = filepath.Abs(data.httpsCA()); err != nil {
		return nil, "", err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: issuer.certificate}, caFile, nil
}

// httpsIssuer makes a new certificate before the present one ends.
type httpsIssuer struct {
	service *cloud.Service
	hosts   []string

	mu      sync.Mutex
	present *tls.Certificate
}

func (i *httpsIssuer) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if i.present != nil && now.Before(i.present.Leaf.NotAfter.Add(-httpsRenewal)) {
		return i.present, nil
	}
	made, err := i.service.ServerCertificate(cloud.HTTPSAuthority, i.hosts, now.Add(-time.Hour), now.Add(httpsValidity))
	if err != nil {
		return nil, err
	}
	i.present = &made
	return i.present, nil
}
