package sshconfig

import "strings"

// matches tells whether text fits a pattern, in which * stands for any
// characters and ? for exactly one.
func matches(pattern, text string) bool {
	// star is where to go on after a * that has to take one character more.
	star, taken := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, taken = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			taken++
			p, t = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// MatchList tells whether text fits one of the patterns and none of those with
// a ! before them.
func MatchList(patterns []string, text string) bool {
	found := false
	for _, pattern := range patterns {
		unwanted, negated := strings.CutPrefix(pattern, "!")
		if !matches(unwanted, text) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}
