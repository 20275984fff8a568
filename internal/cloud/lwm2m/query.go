package lwm2m

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"mbl/internal/cloud"
)

// maxQuery bounds the queries of a request together, in bytes. The original
// client cannot send more than 255.
const maxQuery = 1024

// query is a request's queries by name; of a repeated one the last counts
// (clients append iep at each bootstrap).
type query map[string]string

// parseQuery takes "name=value" texts apart. Unknown names are kept and hurt
// nobody.
func parseQuery(texts []string) (query, error) {
	total := 0
	parsed := query{}
	for _, text := range texts {
		if total += len(text) + 1; total > maxQuery {
			return nil, cloud.RefuseField("query", "is longer than %d bytes", maxQuery)
		}
		name, value, _ := strings.Cut(text, "=")
		parsed[name] = value
	}
	return parsed, nil
}

// account is the account id a client names: aid in the bootstrap, d and aid
// in the registration. Named twice it has to be the same.
func (q query) account() (string, error) {
	d, aid := q["d"], q["aid"]
	if d == "" {
		return aid, nil
	}
	if aid != "" && aid != d {
		return "", cloud.RefuseField("aid", "is not the account named in d")
	}
	return d, nil
}

// lifetime is lt; nil when it is missing. 0 is a lifetime without an end (LwM2M
// 1.1 core, appendix E.2, resource 1). One that is too long for us counts as the
// longest that we have.
func (q query) lifetime() (*time.Duration, error) {
	text, ok := q["lt"]
	if !ok {
		return nil, nil
	}
	const longest = uint64(cloud.LongestLifetime / time.Second)
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, cloud.RefuseField("lt", "is not a number of seconds")
	}
	if seconds == 0 || seconds > longest {
		return new(cloud.LongestLifetime), nil
	}
	return new(time.Duration(seconds) * time.Second), nil
}

// binding is how the client is reached: b. Queue mode is a letter of it in
// LwM2M 1.0, and the parameter Q since 1.1 (core section 6.2.1); here it is always
// the letter.
func (q query) binding() string {
	binding := printable(q["b"])
	if _, queue := q["Q"]; queue && !strings.Contains(binding, "Q") {
		binding += "Q"
	}
	return binding
}
