package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Hints of the table below.
const (
	saveAnother = "`mbl-cli save-api-key -` saves another; --api-url names another service"
	checkURL    = "check --api-url, also whether it is http or https; a network that wants a log-in first answers like this too"
	lacksRight  = "the API key's group lacks the right, or a limit of the account is reached"
	laterAgain  = "try again in a while"
	lookBetween = "try again; if it stays so, look for a proxy or firewall in between"
	checkName   = "check the name or id, and --api-url; a service of another kind lacks some of what mbl-cli asks for"
	showCauses  = "-v shows the causes; if the service is another than you think, --api-url names the right one"
	otherName   = "choose another name, or see with `mbl-cli list-certificates` and `mbl-cli device list` what there is"
	noService   = "$SERVICE does not answer as a Device Management service"
)

// badAnswer is a way in which a service answers wrongly.
type badAnswer struct {
	handler http.HandlerFunc
	says    string
	hint    string
}

func badAnswers() map[string]badAnswer {
	const json, html = "application/json", "text/html; charset=utf-8"
	return map[string]badAnswer{
		"400":                 {refusing(400), "$SERVICE answered 400 Bad Request: said the service", showCauses},
		"403":                 {refusing(403), "$SERVICE answered 403 Forbidden: said the service", lacksRight},
		"404":                 {refusing(404), "$SERVICE answered 404 Not Found: said the service", checkName},
		"405":                 {refusing(405), "$SERVICE answered 405 Method Not Allowed: said the service", showCauses},
		"409":                 {refusing(409), "$SERVICE answered 409 Conflict: said the service", otherName},
		"429":                 {refusing(429), "$SERVICE answered 429 Too Many Requests: said the service; it asks to wait 1h0m0s", "wait as long as it says, or a few minutes; several programs with one key share its limit"},
		"500":                 {refusing(500), "$SERVICE answered 500 Internal Server Error: said the service", laterAgain},
		"503":                 {refusing(503), "$SERVICE answered 503 Service Unavailable: said the service; it asks to wait 1h0m0s", laterAgain},
		"404 of a web server": {saying(404, html, "<html><h1>Not Found</h1>"), "$SERVICE answered 404 Not Found", checkURL},
		"502 of a proxy":      {saying(502, html, "<html><h1>Bad Gateway</h1>"), "$SERVICE answered 502 Bad Gateway", checkURL},
		"a web page":          {saying(200, html, "<html>please log in"), "$SERVICE answered with a web page, not as a Device Management service", checkURL},
		"a redirect":          {http.RedirectHandler("http://192.0.2.1/login", http.StatusFound).ServeHTTP, "$SERVICE sends its callers to http://192.0.2.1/login", "the API key goes to no other address; if that is where the service is, name it with --api-url"},
		"nothing":             {saying(200, "", ""), noService, checkURL},
		"no content":          {saying(204, "", ""), noService, checkURL},
		"another API":         {saying(200, json, `{"hello": "world"}`), noService, checkURL},
		"an array":            {saying(200, json, `[1]`), noService, checkURL},
		"null":                {saying(200, json, `null`), noService, checkURL},
		"JSON cut off":        {saying(200, json, `{"object": "account", "id": "01`), noService, checkURL},
		"not UTF-8":           {saying(200, json, "\xff\xfe\x00"), noService, checkURL},
		"half":                {half, "cannot reach $SERVICE: it hung up before its answer was whole", lookBetween},
		"hangs up":            {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot reach $SERVICE: it hung up before its answer was whole", lookBetween},
		"silence":             {silence, "cannot reach $SERVICE: no answer in time", "check the network and any firewall between here and the service"},
		"drop by drop":        {drops, "cannot reach $SERVICE: no answer in time", "check the network and any firewall between here and the service"},
		"without an end":      {endless, noService, checkURL},
		"escape codes":        {saying(400, json, `{"message": "\u001b[2J\u202ered\nand more", "type": "x"}`), "$SERVICE answered 400 Bad Request: [2Jred and more", showCauses},
		"a book":              {saying(400, json, fmt.Sprintf(`{"message": %q}`, bytes.Repeat([]byte("word "), 1<<16))), "$SERVICE answered 400 Bad Request: word word … word …", showCauses},
	}
}

// TestBadAnswers: every way a service can answer wrongly, to every kind of
// request. Nothing is saved, created or deleted.
func TestBadAnswers(t *testing.T) {
	commands := map[string]struct{ typed, before string }{
		"save-api-key":       {"--api-url $SERVICE save-api-key ak_1good", "cannot read the account: "},
		"provision-pelion":   {"provision-pelion new-boards updates --create-dev-cert", `cannot create the developer certificate "new-boards": `},
		"delete-certificate": {"delete-certificate far-away --yes", ""},
		"list-certificates":  {"list-certificates", ""},
		"device read":        {"device read kitchen /3/0/0", `cannot look for the device "kitchen": `},
	}
	// Where a command knows more about it.
	particular := map[string]mishap{
		"save-api-key/404":                 {says: "$SERVICE is not a Device Management service: it knows no accounts", hint: "--api-url names the service; nothing was saved"},
		"save-api-key/404 of a web server": {says: "$SERVICE is not a Device Management service: it knows no accounts", hint: "--api-url names the service; nothing was saved"},
		"provision-pelion/409":             {says: `cannot look for the developer certificate "new-boards": $SERVICE answered 409 Conflict: said the service`, hint: otherName},
	}
	var mishaps []mishap
	answers := badAnswers()
	for _, kind := range sortedKeys(answers) {
		for _, command := range sortedKeys(commands) {
			answer, called := answers[kind], commands[command]
			m, known := particular[command+"/"+kind]
			if !known {
				m.says, m.hint = called.before+answer.says, answer.hint
			}
			m.name, m.typed, m.code = command+"/"+kind, called.typed, 255
			m.heard = answer.handler
			if strings.HasSuffix(m.says, "no answer in time") {
				m.patience = 200 * time.Millisecond
			}
			mishaps = append(mishaps, m)
		}
	}
	for _, command := range sortedKeys(commands) {
		for kind, handler := range map[string]http.HandlerFunc{"401": refusing(401), "401 without a word": saying(401, "", "")} {
			m := mishap{
				name: command + "/" + kind, typed: commands[command].typed, code: 4, says: "the service refused the API key", hint: saveAnother,
				heard: handler,
			}
			if command == "save-api-key" {
				m.says, m.hint = "API key not recognised by Pelion Device Management ($SERVICE)", "check that the key is whole; --api-url names another service; nothing was saved"
			}
			mishaps = append(mishaps, m)
		}
	}
	refuses(t, mishaps)
}

// TestBadConnections: there is no answer to read at all.
func TestBadConnections(t *testing.T) {
	refuses(t, []mishap{
		{name: "nobody listens", typed: "--api-url http://127.0.0.1:1 save-api-key ak_1good", code: 255, says: "cannot read the account: cannot reach http://127.0.0.1:1: nothing listens there", hint: "is the service running? --api-url or MBED_CLOUD_SDK_HOST names another"},
		{name: "no such host", typed: "--api-url https://nowhere.invalid save-api-key ak_1good", code: 255, says: "cannot read the account: cannot reach https://nowhere.invalid: the host name is unknown", hint: "check the host name in --api-url or MBED_CLOUD_SDK_HOST, and the network"},
		{name: "https of an http server", given: func(w *workplace) { w.words["ADDRESS"] = w.service.url[len("http://"):] }, typed: "--api-url https://$ADDRESS save-api-key ak_1good", code: 255, says: "cannot read the account: cannot reach https://$ADDRESS: it does not speak TLS", hint: "the port may be that of plain http: check --api-url"},
		{name: "a certificate of nobody's", given: encrypted, typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the account: cannot reach $SERVICE: its TLS certificate is not trusted", hint: "--ca-file names the CA certificate (PEM) of a service of your own"},
		{name: "http of an https server", given: func(w *workplace) { encrypted(w); w.words["SERVICE"] = "http" + w.words["SERVICE"][len("https"):] }, typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the account: $SERVICE answered 400 Bad Request", hint: "check --api-url, also whether it is http or https; a network that wants a log-in first answers like this too"},
	})
}

func encrypted(w *workplace) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(w.service.serve))
	server.Config.ErrorLog = silentLog
	server.StartTLS()
	w.t.Cleanup(server.Close)
	w.words["SERVICE"] = server.URL
}

func refusing(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "3600")
		}
		refuse(w, status)
	}
}

func saying(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// silence takes the request and says nothing.
func silence(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"object": "account", "id":`)
}

// drops sends a little, again and again, and never ends.
func drops(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		fmt.Fprint(w, " ")
		w.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			return
		}
	}
}
