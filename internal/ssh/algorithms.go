package ssh

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"mbl/internal/ssh/sshconfig"
)

// algorithms are those the configuration asks for; nil: the library's own.
type algorithms struct{ hostKeys, keyExchanges, ciphers, macs []string }

func (r *settingsReader) algorithms() algorithms {
	usual, old := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	return algorithms{
		hostKeys:     r.algorithmList("hostkeyalgorithms", usual.HostKeys, old.HostKeys),
		keyExchanges: r.algorithmList("kexalgorithms", usual.KeyExchanges, old.KeyExchanges),
		ciphers:      r.algorithmList("ciphers", usual.Ciphers, old.Ciphers),
		macs:         r.algorithmList("macs", usual.MACs, old.MACs),
	}
}

// algorithmList reads a list as ssh_config(5) has it: names, or with a + more
// than the usual ones, with a - fewer, with a ^ those first. Old ones are only
// taken by name.
func (r *settingsReader) algorithmList(keyword string, usual, old []string) []string {
	line, found := r.line(keyword)
	if !found {
		return nil
	}
	list := line.Args[0]
	sign := strings.IndexByte("+-^", list[0])
	if sign >= 0 {
		list = list[1:]
	}
	patterns := strings.Split(list, ",")
	named := pick(patterns, slices.Concat(usual, old))
	rest := slices.DeleteFunc(slices.Clone(usual), func(name string) bool { return slices.Contains(named, name) })
	switch sign {
	case 0:
		named = slices.Concat(rest, named)
	case 1:
		named = rest
	case 2:
		named = slices.Concat(named, rest)
	}
	if len(named) == 0 {
		r.fail(line, fmt.Errorf("none of %s is supported", list))
	}
	return named
}

// pick lists the names that fit the patterns, in the order of these.
func pick(patterns, names []string) []string {
	var picked []string
	for _, pattern := range patterns {
		for _, name := range names {
			if sshconfig.MatchList([]string{pattern}, name) && !slices.Contains(picked, name) {
				picked = append(picked, name)
			}
		}
	}
	return picked
}
