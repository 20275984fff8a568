package sshconfig

import (
	"errors"
	"strings"
)

// criteria reads those of a Match line one after another.
type criteria struct {
	args []string
	held bool // all so far hold
}

// next takes a criterion: `user=bob`, `user bob` and `!user bob` are all usual.
func (c *criteria) next() (name string, negated bool) {
	name, negated = strings.CutPrefix(c.args[0], "!")
	c.args = c.args[1:]
	name, value, joined := strings.Cut(name, "=")
	if joined {
		c.args = append([]string{value}, c.args...)
	}
	return strings.ToLower(name), negated
}

func (c *criteria) argument() (string, error) {
	if len(c.args) == 0 {
		return "", errors.New("a criterion of Match lacks its argument")
	}
	argument := c.args[0]
	c.args = c.args[1:]
	return argument, nil
}

// match decides a Match line. A criterion that needs more than names matters
// only if all before it hold, as ssh does it.
func (r *reader) match(args []string) (bool, error) {
	if len(args) == 0 {
		return false, errors.New("a Match line needs a criterion")
	}
	if len(args) == 1 && strings.EqualFold(args[0], "all") {
		return true, nil
	}
	c := criteria{args: args, held: true}
	for len(c.args) > 0 {
		name, negated := c.next()
		text, known := r.subject(name)
		if !known {
			if c.held {
				return false, r.beyond("Match " + name)
			}
			if !takesNothing(name) {
				_, _ = c.argument()
			}
			continue
		}
		patterns, err := c.argument()
		if err != nil {
			return false, err
		}
		if MatchList(strings.Split(patterns, ","), text) == negated {
			c.held = false
		}
	}
	return c.held, nil
}

func takesNothing(criterion string) bool {
	return criterion == "canonical" || criterion == "final" || criterion == "all"
}

// subject is what a criterion looks at.
func (r *reader) subject(criterion string) (text string, known bool) {
	switch criterion {
	case "host":
		return r.hostSoFar(), true
	case "originalhost":
		return r.query.Host, true
	case "user":
		return r.userSoFar(), true
	case "localuser":
		return r.query.LocalUser, true
	default:
		return "", false
	}
}

// hostSoFar is the host after a HostName line that stands further up.
func (r *reader) hostSoFar() string {
	name := r.first("hostname")
	if name == "" {
		return r.query.Host
	}
	return strings.NewReplacer("%%", "%", "%h", r.query.Host, "%n", r.query.Host).Replace(name)
}

func (r *reader) userSoFar() string {
	if r.query.User != "" {
		return r.query.User
	}
	if user := r.first("user"); user != "" {
		return user
	}
	return r.query.DefaultUser
}

func (r *reader) first(keyword string) string {
	for _, s := range r.found {
		if s.Keyword == keyword {
			return s.Args[0]
		}
	}
	return ""
}
