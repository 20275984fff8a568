package credential

import (
	"errors"
	"fmt"
	"strings"
)

// MaxSource is the longest C source that is read, in bytes.
const MaxSource = 1 << 20

// maxArray bounds what a declared array size can make this package allocate.
const maxArray = 1 << 16

// SourceError is a fault in a C source.
type SourceError struct {
	Line     int    // counted from 1; 0 if it is about no line
	Variable string // empty if it is about none
	Problem  string
}

func (e *SourceError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Variable != "" {
		fmt.Fprintf(&b, "%s: ", e.Variable)
	}
	b.WriteString(e.Problem)
	return b.String()
}

// declaration is one initialised variable. Its tokens are evaluated only once
// somebody asks for the value, so that unknown variables may be anything.
type declaration struct {
	name  string
	line  int
	size  []token // between the brackets of the name; nil without brackets
	value []token // behind the equals sign
	again int     // line of a second declaration of the name; 0 if there is none
}

func (d declaration) fault(format string, args ...any) error {
	return &SourceError{Line: d.line, Variable: d.name, Problem: fmt.Sprintf(format, args...)}
}

// declarations reads every initialised variable of a C source.
func declarations(source []byte) (map[string]declaration, error) {
	found := map[string]declaration{}
	s := newScanner(source)
	for {
		statement, err := nextStatement(s)
		if err != nil {
			return nil, err
		}
		if statement == nil {
			return found, nil
		}
		d, ok := asDeclaration(statement)
		if !ok {
			continue
		}
		if earlier, twice := found[d.name]; twice {
			earlier.again = d.line
			d = earlier
		}
		found[d.name] = d
	}
}

// nextStatement returns the tokens up to the next semicolon outside all
// brackets, without it; nil at the end of the source.
func nextStatement(s *scanner) ([]token, error) {
	statement := []token{}
	depth := 0
	for {
		t, err := s.next()
		if err != nil {
			return nil, inStatement(statement, err)
		}
		switch {
		case t.kind == endOfSource && len(statement) == 0:
			return nil, nil
		case t.kind == endOfSource:
			return nil, inStatement(statement, &SourceError{Line: t.line, Problem: "the file ends within this declaration; is it cut off?"})
		case t.is("}") && len(statement) == 0:
			continue // closes an extern "C" block
		case t.is(";") && depth <= 0:
			return statement, nil
		case t.is("{"), t.is("("), t.is("["):
			depth++
		case t.is("}"), t.is(")"), t.is("]"):
			depth--
		}
		statement = append(statement, t)
		if opensLinkage(statement) {
			statement, depth = statement[:0], 0
		}
	}
}

// opensLinkage recognises extern "C" {, which stands around declarations.
func opensLinkage(statement []token) bool {
	return len(statement) == 3 && statement[0].text == "extern" &&
		statement[1].kind == stringLiteral && statement[2].is("{")
}

// inStatement adds the variable's name to an error met while reading it.
func inStatement(statement []token, err error) error {
	var fault *SourceError
	if !errors.As(err, &fault) {
		return err
	}
	if d, ok := asDeclaration(statement); ok {
		fault.Variable = d.name
	}
	return fault
}

// asDeclaration splits a statement at its equals sign. ok is false if it
// initialises nothing.
func asDeclaration(statement []token) (d declaration, ok bool) {
	depth := 0
	for i, t := range statement {
		switch {
		case t.is("="):
			if depth == 0 {
				return splitDeclaration(statement[:i], statement[i+1:])
			}
		case t.is("{"), t.is("("), t.is("["):
			depth++
		case t.is("}"), t.is(")"), t.is("]"):
			depth--
		}
	}
	return declaration{}, false
}

// splitDeclaration finds the name: what stands before the bracket of an
// array, else the last word.
func splitDeclaration(head, value []token) (d declaration, ok bool) {
	d.value = value
	for _, t := range head {
		if t.is("[") {
			d.size = betweenBrackets(head)
			break
		}
		if t.kind == identifier {
			d.name, d.line = t.text, t.line
		}
	}
	return d, d.name != ""
}

func betweenBrackets(head []token) []token {
	size := []token{}
	inside := false
	for _, t := range head {
		switch {
		case t.is("["):
			inside = true
		case t.is("]"):
			return size
		case inside:
			size = append(size, t)
		}
	}
	return size
}
