package cloudapp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/cloud/restapi"
)

// servers are the listeners of a running service.
type servers struct {
	service *cloud.Service
	connect *connect.Service // nil until it has loaded what waits for devices and API keys
	metrics *metrics
	log     *slog.Logger
	hosts   []string // present name first
	limits  portLimits

	http, https, download net.Listener // nil: not served
	httpServers           []*http.Server
	ca                    string      // file with the CA of https
	acme                  *acmeIssuer // nil: no ACME authority is asked
	devices               *deviceServers
	sessions              *sessionFile
}

const (
	headerTimeout   = 10 * time.Second
	requestTimeout  = 60 * time.Second
	answerTimeout   = 90 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 32 << 10
)

// listenHTTP opens what needs no certificate.
func (s *servers) listenHTTP(ctx context.Context, options serveOptions) (err error) {
	if s.http, err = s.listen(ctx, "--http", options.http); err != nil {
		return err
	}
	s.download, err = s.listen(ctx, "--download", options.download)
	return err
}

func (s *servers) listenHTTPS(ctx context.Context, data folder, options serveOptions) error {
	if options.https == "" {
		return nil
	}
	config, ca, err := httpsConfig(ctx, s.service, data, options, s.hosts)
	if err != nil {
		return err
	}
	config.NextProtos = []string{"h2", "http/1.1"}
	if len(options.acme.hosts) > 0 {
		if s.acme, err = newACMEIssuer(data, options.acme, s.log); err != nil {
			return err
		}
		config.GetCertificate = s.acme.over(config.GetCertificate)
		config.NextProtos = append(config.NextProtos, acme.ALPNProto)
	}
	plain, err := s.listen(ctx, "--https", options.https)
	if err != nil {
		return err
	}
	s.https, s.ca = tls.NewListener(plain, config), ca
	return nil
}

// listen opens a TCP port; an empty address opens none. Connections above the
// limit wait; those above an address's limit are closed.
func (s *servers) listen(ctx context.Context, flag, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, failure("cannot listen on %s: %w", address, err).
			WithHint("%s names another address; port 0 takes a free port", flag)
	}
	return netutil.LimitListener(newPerAddress(listener, s.limits.httpPerAddress), s.limits.http), nil
}

// serve starts all servers.
func (s *servers) serve(ctx context.Context, running *errgroup.Group) {
	api := restapi.New(restapi.Config{Service: s.service, Connect: s.connect, Log: s.log, Now: time.Now, Observe: s.metrics.observe})
	s.metrics.registry.MustRegister(newCensus(s.service, s.log))
	handler := beside(api, metricsPath, s.metrics.handler())
	s.serveHTTP(running, s.http, handler)
	s.serveHTTP(running, s.https, handler)
	s.serveHTTP(running, s.download, http.NotFoundHandler()) // images come with firmware update
	s.devices.serve(ctx, running)
	if s.acme != nil {
		running.Go(func() error { return s.acme.fetch(ctx) })
	}
	running.Go(func() error { return s.connect.Run(ctx) })
}

// beside serves one path by a handler of its own. (http.ServeMux would do it,
// and redirect unclean paths, which the API never does.)
func beside(api http.Handler, path string, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSuffix(r.URL.Path, "/") == path {
			other.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

func (s *servers) serveHTTP(running *errgroup.Group, listener net.Listener, handler http.Handler) {
	if listener == nil {
		return
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.httpServers = append(s.httpServers, server)
	running.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// shutdown lets requests under way finish, for a while.
func (s *servers) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	for _, server := range s.httpServers {
		if err := server.Shutdown(ctx); err != nil {
			s.log.Warn("requests were cut off", "error", err)
			server.Close()
		}
	}
	s.close()
}

// saveWaiting gives back to the store what was loaded from it and still waits.
func (s *servers) saveWaiting(ctx context.Context) error {
	if s.connect == nil {
		return nil
	}
	return s.connect.Save(ctx)
}

// close closes every listener; it may be called again.
func (s *servers) close() {
	for _, listener := range []net.Listener{s.http, s.https, s.download} {
		if listener != nil {
			listener.Close()
		}
	}
	s.devices.close() //nolint:errcheck // nothing is lost with a listener
}

// addresses are where the servers are reached.
func (s *servers) addresses() addresses {
	running := addresses{
		HTTP:     s.url("http", s.http),
		HTTPS:    s.url("https", s.https),
		CA:       s.ca,
		Download: s.url("http", s.download),
		PID:      os.Getpid(),
	}
	s.devices.describe(&running)
	return running
}

// apiURL is where the first API key is good for.
func (s *servers) apiURL() string {
	if url := s.url("http", s.http); url != "" {
		return url
	}
	return "https://" + s.hosts[0]
}

func (s *servers) url(scheme string, listener net.Listener) string {
	if listener == nil {
		return ""
	}
	return scheme + "://" + s.reachable(listener.Addr())
}

// reachable is a listening address as clients use it: a listener on every
// address is reached by the host name.
func (s *servers) reachable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = s.hosts[0]
	}
	return net.JoinHostPort(host, port)
}

// deviceAddress is where devices reach a server: always by the host name,
// since that is what their credentials say.
func (s *servers) deviceAddress(address net.Addr) string {
	return net.JoinHostPort(s.hosts[0], strconv.Itoa(address.(*net.UDPAddr).Port))
}
