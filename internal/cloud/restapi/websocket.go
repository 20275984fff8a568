package restapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

const (
	// socketProtocol is the sub-protocol that is chosen; keyProtocol begins
	// one that is an API key, for clients that can set no header.
	socketProtocol = "wss"
	keyProtocol    = "pelion_"

	socketVersion = "13"

	connected    = "connected"
	disconnected = "disconnected"
)

// socketAnswer is a websocket channel. Documents of different ages spell the
// size of its queue differently.
type socketAnswer struct {
	Status        string          `json:"status"`
	QueueSize     int             `json:"queueSize"`
	QueueSizeToo  int             `json:"queue_size"`
	Serialization json.RawMessage `json:"serialization,omitempty"`
}

type socketBody struct {
	Serialization json.RawMessage `json:"serialization"`
}

func (a *API) socket(c *call) (answer, error) {
	status, err := a.connect.SocketStatus(c.who)
	if err != nil {
		return answer{}, err
	}
	shown := socketAnswer{disconnected, status.Waiting, status.Waiting, status.Settings.Serialization}
	if status.Connected {
		shown.Status = connected
	}
	return answer{http.StatusOK, shown}, nil
}

// registerSocket takes a body or none: the older document has none.
func (a *API) registerSocket(c *call) (answer, error) {
	var body socketBody
	if c.ContentLength != 0 {
		text, err := io.ReadAll(io.LimitReader(c.Body, maxBody))
		if err != nil || len(strings.TrimSpace(string(text))) > 0 && json.Unmarshal(text, &body) != nil {
			return answer{}, cloud.Refuse(errBody, "the body is not a JSON object")
		}
	}
	created, err := a.connect.RegisterSocket(c.Context(), c.who, cloud.ChannelSettings{Serialization: body.Serialization})
	if err != nil {
		return answer{}, err
	}
	reply, err := a.socket(c)
	if created {
		reply.status = http.StatusCreated
	}
	return reply, err
}

func (a *API) deleteSocket(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, a.connect.DeleteSocket(c.Context(), c.who)
}

// openSocket upgrades the connection. The key stands in the header or among
// the sub-protocols.
func (a *API) openSocket(c *call) (answer, error) {
	if err := c.checkHandshake(); err != nil {
		return answer{}, err
	}
	if c.Header.Get("Authorization") == "" {
		for _, protocol := range protocols(c.Header) {
			if key, is := strings.CutPrefix(protocol, keyProtocol); is {
				c.Header.Set("Authorization", "Bearer "+key)
			}
		}
	}
	err := a.authorize(c, keyHolders)
	if errors.Is(err, cloud.ErrUnauthorized) {
		// Clients learn of it by the code of the close, not of the answer.
		return a.upgrade(c, func(client *socketClient) { client.Close(connect.SocketKeyLost) }), nil
	}
	if err != nil {
		return answer{}, err
	}
	return a.upgrade(c, func(client *socketClient) { a.connect.ServeSocket(c.Context(), c.who, client) }), nil
}

// checkHandshake checks what a request for a websocket has to say (RFC 6455,
// section 4.2.1).
func (c *call) checkHandshake() error {
	version := c.Header.Get("Sec-WebSocket-Version")
	switch {
	case !mayUpgrade(c.Request) || c.Method != http.MethodGet || !hasToken(c.Header, "Connection", "upgrade") || !hasToken(c.Header, "Upgrade", "websocket"):
		return errUpgrade
	case version != "" && version != socketVersion:
		return errSocketVersion
	case version == "" || !isNonce(c.Header.Values("Sec-WebSocket-Key")):
		return cloud.Refuse(cloud.ErrInvalid, "a header of the websocket's handshake is missing or wrong")
	}
	return nil
}

// isNonce tells whether a header is the base64 of 16 bytes, once.
func isNonce(values []string) bool {
	if len(values) != 1 {
		return false
	}
	nonce, err := base64.StdEncoding.DecodeString(strings.TrimSpace(values[0]))
	return err == nil && len(nonce) == 16
}

// upgrade answers by making the connection a websocket, which serve has until
// it returns.
func (a *API) upgrade(c *call, serve func(*socketClient)) answer {
	return answer{http.StatusSwitchingProtocols, takeover(func(w http.ResponseWriter) {
		conn, err := websocket.Accept(w, c.Request, &websocket.AcceptOptions{
			Subprotocols:       []string{socketProtocol},
			InsecureSkipVerify: true, // any origin: nothing is granted by cookie
		})
		if err != nil {
			a.log.Debug("no websocket", "error", err, "request_id", c.id)
			return // the library has answered
		}
		client := newSocketClient(c.Context(), conn)
		defer client.leave()
		serve(client)
	})}
}

func protocols(header http.Header) []string {
	var names []string
	for _, line := range header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// hasToken tells whether a header that is a list has a token, in any case.
func hasToken(header http.Header, name, token string) bool {
	for _, line := range header.Values(name) {
		for each := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(each), token) {
				return true
			}
		}
	}
	return false
}

// socketClient is a client's websocket as a connect.Socket.
type socketClient struct {
	conn  *websocket.Conn
	ended chan struct{}
}

var _ connect.Socket = (*socketClient)(nil)

// newSocketClient begins to read, which answers pings and notices the end.
// What clients say means nothing here.
func newSocketClient(ctx context.Context, conn *websocket.Conn) *socketClient {
	client := &socketClient{conn, make(chan struct{})}
	go func() {
		defer close(client.ended)
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return
			}
		}
	}()
	return client
}

// Send implements connect.Socket: a client that answers a ping has read what
// came before.
func (s *socketClient) Send(ctx context.Context, text []byte) error {
	if err := s.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return err
	}
	return s.conn.Ping(ctx)
}

// Alive implements connect.Socket.
func (s *socketClient) Alive(ctx context.Context) error { return s.conn.Ping(ctx) }

// Ended implements connect.Socket.
func (s *socketClient) Ended() <-chan struct{} { return s.ended }

// Close implements connect.Socket.
func (s *socketClient) Close(why connect.SocketEnd) {
	for _, end := range []struct {
		why    connect.SocketEnd
		code   websocket.StatusCode
		reason string
	}{
		{connect.SocketReplaced, websocket.StatusGoingAway, "another socket was opened, or the channel was deleted"},
		{connect.SocketNoChannel, websocket.StatusInternalError, "PUT /v2/notification/websocket comes first"},
		{connect.SocketKeyLost, websocket.StatusPolicyViolation, "the API key is not valid any more"},
		{connect.SocketRestart, websocket.StatusServiceRestart, "the service restarts"},
	} {
		if end.why == why {
			_ = s.conn.Close(end.code, end.reason) // the client may be gone
			return
		}
	}
	_ = s.conn.CloseNow()
}

// leave releases the connection, whoever ended it.
func (s *socketClient) leave() {
	_ = s.conn.CloseNow()
	<-s.ended
}
