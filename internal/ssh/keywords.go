package ssh

import (
	"fmt"
	"slices"
	"strings"

	"mbl/internal/ssh/sshconfig"
)

// understood are the keywords of ssh_config(5) that settings.go reads.
const understood = `
	hostname port user identityfile identitiesonly identityagent proxyjump proxycommand
	userknownhostsfile globalknownhostsfile hashknownhosts hostkeyalias stricthostkeychecking
	connecttimeout addressfamily batchmode pubkeyauthentication passwordauthentication
	kbdinteractiveauthentication challengeresponseauthentication preferredauthentications
	hostkeyalgorithms kexalgorithms ciphers macs ignoreunknown`

// harmless are those that may be passed over: they make a session more
// convenient, forward something that is never forwarded here, or ask for less
// care than is taken.
const harmless = `
	addkeystoagent applemultipath canonicaldomains canonicalizefallbacklocal canonicalizehostname
	canonicalizemaxdots canonicalizepermittedcnames casignaturealgorithms channeltimeout checkhostip
	cipher clearallforwardings compression compressionlevel connectionattempts controlmaster
	controlpath controlpersist dynamicforward enableescapecommandline enablesshkeysign escapechar
	exitonforwardfailure fingerprinthash forkafterauthentication forwardagent forwardx11
	forwardx11timeout forwardx11trusted gatewayports gssapiauthentication gssapiclientidentity
	gssapidelegatecredentials gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey
	gssapiserveridentity gssapitrustdns host hostbasedacceptedalgorithms hostbasedauthentication
	hostbasedkeytypes ipqos localcommand localforward loglevel logverbose
	nohostauthenticationforlocalhost numberofpasswordprompts obscurekeystroketiming
	permitlocalcommand permitremoteopen protocol pubkeyacceptedalgorithms pubkeyacceptedkeytypes
	rekeylimit remotecommand remoteforward requesttty rhostsrsaauthentication rsaauthentication
	securitykeyprovider sendenv serveralivecountmax serveraliveinterval sessiontype setenv
	skeyauthentication stdinnull streamlocalbindmask streamlocalbindunlink syslogfacility tag
	tcpkeepalive tunnel tunneldevice updatehostkeys usekeychain useprivilegedport useroaming
	verifyhostkeydns versionaddendum visualhostkey warnweakcrypto xauthlocation`

// refused are those that decide who is reached, or who is trusted, and that
// cannot be followed here; with the values at which they ask for nothing.
func refused() map[string][]string {
	return map[string][]string{
		"bindaddress":       {"none"},
		"bindinterface":     {"none"},
		"certificatefile":   {"none"},
		"knownhostscommand": {"none"},
		"pkcs11provider":    {"none"},
		"proxyusefdpass":    {"no"},
		"refuseconnection":  nil,
		"requiredrsasize":   {"1024", "2048"},
		"revokedhostkeys":   {"none"},
		"smartcarddevice":   {"none"},
	}
}

func listed(words, keyword string) bool {
	return slices.Contains(strings.Fields(words), keyword)
}

// refuseOthers refuses a setting by name that cannot be followed and may not be
// passed over.
func refuseOthers(lines []sshconfig.Setting) error {
	var ignorable []string
	for _, line := range lines {
		if line.Keyword == "ignoreunknown" {
			ignorable = append(ignorable, strings.Split(strings.ToLower(line.Args[0]), ",")...)
		}
		if err := refuseOther(line, ignorable); err != nil {
			return err
		}
	}
	return nil
}

func refuseOther(line sshconfig.Setting, ignorable []string) error {
	if listed(understood, line.Keyword) || listed(harmless, line.Keyword) {
		return nil
	}
	values, known := refused()[line.Keyword]
	switch {
	case known && slices.Contains(values, strings.ToLower(line.Args[0])):
		return nil
	case known:
		return fmt.Errorf("%s: %s is not supported, and without it another host could be reached or trusted", line.Place(), line.Keyword)
	case sshconfig.MatchList(ignorable, line.Keyword):
		return nil
	default:
		return fmt.Errorf("%s: the setting %s is not known", line.Place(), line.Keyword)
	}
}
