// Package cloudapi is the workstation's client of the Device Management REST
// API, for our own service and the original one: one file a resource. It reads
// answers leniently (times with or without a fraction, nulls, unknown fields)
// and gives each way a call can fail an error of its own.
//
// It knows no stores and no devices, and prints nothing. The command line and
// the provisioning brain call it.
package cloudapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"mbl/internal/buildinfo"
	"mbl/internal/secret"
)

const (
	requestTimeout = 30 * time.Second // one request with its answer
	maxAnswer      = 16 << 20         // bytes
)

// Config says which service is called and how.
type Config struct {
	BaseURL      string      // as NormalizeURL returns it
	Key          secret.Text // API key; sent to BaseURL's host and nowhere else
	CAFile       string      // PEM file with the only CAs to trust; empty: the system's
	InsecureHTTP bool        // allow plain http to other machines
	Log          *slog.Logger
	Timeout      time.Duration // of one request; 0: 30 seconds
	RetryPause   time.Duration // before a busy service is asked again; 0: half a second
}

// Client calls one service with one API key. It is safe for concurrent use.
type Client struct {
	base string
	key  secret.Text
	http *http.Client
	log  *slog.Logger

	pause time.Duration // before the first retry
}

// New makes a client. It connects to nothing yet. The error matches ErrURL,
// ErrPlainHTTP or ErrCAFile.
func New(cfg Config) (*Client, error) {
	base, err := NormalizeURL(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if err := checkPlainHTTP(base, cfg.InsecureHTTP); err != nil {
		return nil, err
	}
	transport, err := newTransport(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	client := &Client{
		base: base,
		key:  cfg.Key,
		http: &http.Client{Transport: transport, CheckRedirect: sameHost, Timeout: requestTimeout},
		log:  cfg.Log,

		pause: retryPause,
	}
	if cfg.RetryPause > 0 {
		client.pause = cfg.RetryPause
	}
	if cfg.Timeout > 0 {
		client.http.Timeout = cfg.Timeout
	}
	if client.log == nil {
		client.log = slog.New(slog.DiscardHandler)
	}
	return client, nil
}

// BaseURL is the service this client calls.
func (c *Client) BaseURL() string { return c.base }

// callOnce is call without repetition.
func (c *Client) callOnce(ctx context.Context, method, path string, query url.Values, body, result any) error {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	started := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return connectionError(ctx, c.base, err)
	}
	defer resp.Body.Close()
	c.log.DebugContext(ctx, "called the service", "method", method, "path", path, "status", resp.StatusCode, "took", time.Since(started))
	data, err := readAnswer(resp.Body)
	if err != nil {
		return connectionError(ctx, c.base, err)
	}
	return c.understand(resp, data, result)
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the request: %w", err)
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "mbl-cli/"+buildinfo.Version())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.key.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	return req, nil
}

func readAnswer(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnswer {
		return nil, errTooLarge
	}
	return data, nil
}

// optional is a result that stays as it is when the answer has no body.
type optional interface{ mayBeEmpty() }

// understand decodes an answer, or makes the error it stands for.
func (c *Client) understand(resp *http.Response, data []byte, result any) error {
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return &RedirectError{From: c.base, To: resp.Header.Get("Location")}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return statusError(c.base, resp, data)
	case result == nil || resp.StatusCode == http.StatusNoContent:
		return nil
	}
	if _, is := result.(optional); is && len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, result); err != nil {
		return &NotServiceError{URL: c.base, ContentType: resp.Header.Get("Content-Type"), Err: err}
	}
	return nil
}
