package coap_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
)

// framed is a server's end of a connection whose client shows how it frames.
type framed struct {
	*coaptest.Conn
	framing coap.Framing
}

func (f *framed) ReadMessage(ctx context.Context) ([]byte, error) {
	return f.framing.Next(func() ([]byte, error) { return f.Conn.ReadMessage(ctx) }, f.Conn.WriteMessage)
}

func (f *framed) WriteMessage(message []byte) error {
	if out := f.framing.Frame(message); out != nil {
		return f.Conn.WriteMessage(out)
	}
	return nil
}

// streamClient is a client of CoAP over TLS, played by hand in hexadecimal.
type streamClient struct {
	t    *testing.T
	conn *coaptest.Conn
}

const (
	csm    = "10e140"     // length 1, no token, 7.01, Block-Wise-Transfer
	ourCSM = "10e140"     // the server's own
	getA   = "2101aab161" // GET /a with token aa
)

// serveStream starts a session with a client that answers requests to /a with
// "it", and to others with 4.04.
func serveStream(t *testing.T) (*coap.Session, *streamClient) {
	t.Helper()
	near, far := coaptest.Pipe()
	session := coap.NewSession(&framed{Conn: near}, func(_ context.Context, req *coap.Request) *coap.Response {
		if len(req.Path) != 1 || req.Path[0] != "a" {
			return &coap.Response{Code: coap.NotFound}
		}
		return &coap.Response{Code: coap.Content, Payload: append([]byte("it"), req.Payload...)}
	}, quick())
	serve(t, session)
	return session, &streamClient{t, far}
}

func (c *streamClient) send(text string) {
	c.t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.WriteMessage(data); err != nil {
		c.t.Fatal(err)
	}
}

func (c *streamClient) expect(want string) {
	c.t.Helper()
	got, err := c.conn.ReadMessage(patience(c.t))
	if err != nil || hex.EncodeToString(got) != strings.ReplaceAll(want, " ", "") {
		c.t.Fatalf("got %x, %v; want %s", got, err, want)
	}
}

// expectAbort also wants the option of RFC 8323 §5.6 that names the bad option.
func (c *streamClient) expectAbort(bad string) {
	c.t.Helper()
	got, err := c.conn.ReadMessage(patience(c.t))
	text := hex.EncodeToString(got)
	if err != nil || !strings.Contains(text, "e5"+bad) {
		c.t.Fatalf("got %x, %v; want an abort", got, err)
	}
}

func TestAStreamsMessagesAreCutWhereverItsRecordsAre(t *testing.T) {
	const answer = "3145aa ff6974" // 2.05 with token aa, "it"
	for name, records := range map[string][]string{
		"one each":        {csm, getA},
		"all in one":      {csm + getA},
		"byte by byte":    {"10", "e1", "40", "21", "01", "aa", "b1", "61"},
		"in the middle":   {csm + "2101", "aab161"},
		"empty in front":  {csm + "0000" + getA}, // 0.00 says nothing
		"settings again":  {csm, "00e1", getA},
		"other settings":  {"30e122 0480 ", getA}, // Max-Message-Size 1152
		"settings of 4":   {"40e1 23 010000", getA},
		"settings with 7": {"70e1 21ff 40 2121 2121", getA}, // unknown elective ones
	} {
		t.Run(name, func(t *testing.T) {
			_, client := serveStream(t)
			for _, record := range records {
				client.send(record)
			}
			client.expect(ourCSM)
			client.expect(answer)
		})
	}
}

func TestBodiesOfAStreamMayBeLong(t *testing.T) {
	for _, size := range []int{1, 9, 12, 13, 100, 268, 269, 500} {
		_, client := serveStream(t)
		body := bytes.Repeat([]byte{'b'}, size)
		m := &coap.Message{Code: coap.POST, Payload: body}
		m.Options.AddStrings(coap.URIPath, []string{"a"})
		client.send(csm)
		client.expect(ourCSM)
		if got := client.ask(m); !bytes.HasSuffix(got, append([]byte("it"), body...)) {
			t.Errorf("%d bytes: got %x", size, got)
		}
	}
}

// ask sends a message and returns what comes.
func (c *streamClient) ask(m *coap.Message) []byte {
	c.t.Helper()
	var framing coap.Framing
	settle(c.t, &framing)
	data, err := m.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.WriteMessage(framing.Frame(data)); err != nil {
		c.t.Fatal(err)
	}
	got, err := c.conn.ReadMessage(patience(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// TestBERTIsTakenThoughNotOffered: aiocoap begins with it before it has heard
// what the server takes, and counts wrongly when asked for smaller blocks.
func TestBERTIsTakenThoughNotOffered(t *testing.T) {
	const bert = 7
	_, client := serveStream(t)
	client.send(csm)
	client.expect(ourCSM)
	for _, block := range []struct {
		number uint32
		more   bool
		size   int
		answer string // what its answer contains: 2.31 with the block as it came
	}{
		{0, true, 1024, "305fd10e0f"},
		{1, true, 2048, "305fd10e1f"},
		{3, false, 5, "0c07"}, // Size2: "it" and 1024+2048+5 bytes
	} {
		m := &coap.Message{Code: coap.POST, Payload: body(block.size)}
		m.Options.AddStrings(coap.URIPath, []string{"a"})
		m.Options.AddUint(coap.Block1, blockValue(block.number, block.more, bert))
		if got := hex.EncodeToString(client.ask(m)); !strings.Contains(got, block.answer) {
			t.Errorf("block %d is answered with %.60s", block.number, got)
		}
	}
}

// settle makes a framing one of streams.
func settle(t *testing.T, framing *coap.Framing) {
	t.Helper()
	records := [][]byte{{0x10, 0xe1, 0x40}}
	_, err := framing.Next(func() ([]byte, error) {
		if len(records) == 0 {
			return nil, io.EOF
		}
		record := records[0]
		records = records[1:]
		return record, nil
	}, func([]byte) error { return nil })
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestAStreamsPingIsAnswered(t *testing.T) {
	_, client := serveStream(t)
	client.send(csm + "02e2beef") // token beef
	client.expect(ourCSM)
	client.expect("02e3beef")
	client.send("12e2beef20") // with Custody
	client.expect("12e3beef20")
}

func TestOurPingOfAStreamIsSentOnce(t *testing.T) {
	session, client := serveStream(t)
	client.send(csm)
	client.expect(ourCSM)
	client.send(getA) // the session knows the framing once this is answered
	client.expect("3145aaff6974")
	pinged := make(chan error, 1)
	go func() { pinged <- session.Ping(patience(t)) }()
	ping, err := client.conn.ReadMessage(patience(t))
	if err != nil || len(ping) != 4 || ping[0] != 0x02 || ping[1] != 0xe2 {
		t.Fatalf("got %x, %v", ping, err)
	}
	client.send("02e3ffff") // of some other ping
	client.send("02e3" + hex.EncodeToString(ping[2:]))
	if err := <-pinged; err != nil {
		t.Error(err)
	}
}

func TestAStreamsClientIsAskedAndObserved(t *testing.T) {
	session, client := serveStream(t)
	client.send(csm + getA)
	client.expect(ourCSM)
	client.expect("3145aaff6974")
	answered := do(patience(t), session, read())
	got, err := client.conn.ReadMessage(patience(t))
	if err != nil || got[1] != byte(coap.GET) {
		t.Fatalf("got %x, %v", got, err)
	}
	token := hex.EncodeToString(got[2 : 2+got[0]&0x0f])
	client.send("34 45" + token + "ff6f6b")
	if result := <-answered; result.err != nil || string(result.response.Payload) != "ok" {
		t.Errorf("%+v", result)
	}
}

func TestAClientThatBreaksTheStreamIsToldAndLeft(t *testing.T) {
	for name, test := range map[string]struct{ sent, bad string }{
		"a request first":       {"0001", ""},
		"a token of nine bytes": {csm + "09 01 010203040506070809", ""},
		"too long":              {csm + "f0 ffffffff 01", ""},
		"options cut short":     {csm + "10e1 d0", ""},
		"a critical setting":    {"10e1 30", "2103"}, // option 3: Bad-CSM-Option says so
		"a critical ping":       {csm + "10e2 10", ""},
	} {
		t.Run(name, func(t *testing.T) {
			session, client := serveStream(t)
			client.send(test.sent)
			client.expect(ourCSM)
			client.expectAbort(test.bad)
			select {
			case <-session.Done():
			case <-patience(t).Done():
				t.Error("the session goes on")
			}
		})
	}
}

func TestAClientMayLeaveAStream(t *testing.T) {
	for name, farewell := range map[string]string{"release": "00e4", "abort": "00e5"} {
		t.Run(name, func(t *testing.T) {
			session, client := serveStream(t)
			client.send(csm + farewell)
			select {
			case <-session.Done():
			case <-patience(t).Done():
				t.Error("the session goes on")
			}
		})
	}
}

// The original's first messages begin with bytes that would be a length of 4
// to 7 in a stream.
func TestTheOriginalsMessagesAreNoStream(t *testing.T) {
	for _, first := range []string{
		"44021eacf4a52d7eb26273", // POST /bs
		"4402000102000000",       // POST with the token of 4.1.0
		"60001234c0",             // its five-byte acknowledgement
		"40000001",               // its ping
		"70000001",
	} {
		near, far := coaptest.Pipe()
		server := &framed{Conn: near}
		data, _ := hex.DecodeString(first)
		if err := far.WriteMessage(data); err != nil {
			t.Fatal(err)
		}
		got, err := server.ReadMessage(patience(t))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s came as %x, %v", first, got, err)
		}
		if err := server.WriteMessage(data); err != nil {
			t.Fatal(err)
		}
		if got, err := far.ReadMessage(patience(t)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s went as %x, %v", first, got, err)
		}
	}
}

// FuzzFraming throws records at a server: none may take it down, and what
// reaches the session is always a whole message.
func FuzzFraming(f *testing.F) {
	for _, seed := range []string{csm + getA, "44021eacf4a52d7eb26273", csm + "02e2beef", csm + "f0ffffffff01", "70e121ff40212121"} {
		data, _ := hex.DecodeString(seed)
		f.Add(data, uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		var framing coap.Framing
		records := 0
		receive := func() ([]byte, error) {
			if len(data) == 0 {
				return nil, io.EOF
			}
			n := min(len(data), 1+int(size))
			record := data[:n]
			data = data[n:]
			records++
			return record, nil
		}
		for {
			message, err := framing.Next(receive, func([]byte) error { return nil })
			if err != nil {
				return
			}
			if len(message) >= 4 {
				framing.Frame(message)
			}
			if records == 0 {
				t.Fatalf("%x out of nothing", message)
			}
		}
	})
}
