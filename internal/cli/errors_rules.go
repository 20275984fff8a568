package cli

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
	"mbl/internal/discovery"
	"mbl/internal/usererr"
)

// rule says what a person is told about a kind of failure.
type rule struct {
	is      error
	code    int
	message string // empty: the failure's own words
	hint    string
}

// rules are looked through in order; the first that fits is used. The
// particular come before the general.
func rules() []rule {
	const (
		failure = usererr.ExitFailure
		usage   = usererr.ExitUsage
	)
	return append(slices.Concat(deviceRules(), copyRules(), enrollRules()), []rule{
		{cloudapi.ErrUnauthorized, usererr.ExitKeyRefused, "the service refused the API key", "`mbl-cli save-api-key -` saves another; --api-url names another service"},
		{cloudapi.ErrNotService, failure, "", "check --api-url, also whether it is http or https; a network that wants a log-in first answers like this too"},
		{cloudapi.ErrForbidden, failure, "", "the API key's group lacks the right, or a limit of the account is reached"},
		{cloudapi.ErrRedirected, failure, "", "the API key goes to no other address; if that is where the service is, name it with --api-url"},
		{cloudapi.ErrTooMany, failure, "", "wait as long as it says, or a few minutes; several programs with one key share its limit"},
		{cloudapi.ErrUnavailable, failure, "", "try again in a while"},
		{cloudapi.ErrOtherName, failure, "", "name the service with --api-url as its certificate does; -v shows the names"},
		{cloudapi.ErrExpired, failure, "", "check this machine's clock; if it is right, the service needs a new certificate"},
		{cloudapi.ErrNotTLS, failure, "", "the port may be that of plain http: check --api-url"},
		{cloudapi.ErrBroken, failure, "", "try again; if it stays so, look for a proxy or firewall in between"},
		{cloudapi.ErrUntrusted, failure, "", "--ca-file names the CA certificate (PEM) of a service of your own"},
		{cloudapi.ErrRefused, failure, "", "is the service running? --api-url or " + envService + " names another"},
		{cloudapi.ErrNoSuchHost, failure, "", "check the host name in --api-url or " + envService + ", and the network"},
		{cloudapi.ErrTimeout, failure, "", "check the network and any firewall between here and the service"},
		{cloudapi.ErrUnreachable, failure, "", "--api-url or " + envService + " names another service; -v shows the cause"},
		{cloudapi.ErrPlainHTTP, failure, "", "use https://, or --insecure-http if the network between is your own"},
		{cloudapi.ErrURL, usage, "", "write it like https://api.example.com"},
		{cloudapi.ErrCAFile, failure, "", "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{cloudapi.ErrNotFound, failure, "", "check the name or id, and --api-url; a service of another kind lacks some of what mbl-cli asks for"},
		{cloudapi.ErrConflict, failure, "", "choose another name, or see with `mbl-cli list-certificates` and `mbl-cli device list` what there is"},
		{cloudapi.ErrInvalid, failure, "", "-v shows the causes; if the service is another than you think, --api-url names the right one"},
		{discovery.ErrNoNetwork, failure, "", "--address names a device that cannot be found"},
		{credstore.ErrName, usage, "", "a name is at most 100 bytes without / and \\, and begins with neither . nor -"},
		{credstore.ErrChanged, failure, "", "ask your team who changed it; if it was meant: `mbl-cli list-certificates --accept-changed NAME`"},
		{credstore.ErrExists, failure, "", "choose another name; nothing was replaced"},
		{credstore.ErrNoPlace, failure, "", "make that folder, or set HOME to one of yours; " + envStores + " names another file"},
		{credstore.ErrNoSpace, failure, "", "make some room there, and run the command again"},
		{syscall.ENOSPC, failure, "", "make some room there, and run the command again"},
		{credstore.ErrReadOnly, failure, "", "ask its owner for the right to write, or use another store: `mbl-cli store init --help`"},
		{credstore.ErrGroup, failure, "", "name a group of this machine that you belong to; only a folder's owner can give it to a group"},
		{credstore.ErrKeyring, failure, "", "it needs a desktop session with a keyring (GNOME Keyring, KWallet, Keychain); without --keyring the user store keeps the key, in a file that only you can read"},
		{credstore.ErrBusy, failure, "", "if no other mbl-cli is running, delete that file"},
		{credstore.ErrKeysShared, failure, "", "--user and --team name a folder for each"},
		{credstore.ErrDamaged, failure, "", "restore the file or move it away"},
		{credstore.ErrNotFound, failure, "", "`mbl-cli list-certificates` shows what there is"},
		{fs.ErrPermission, failure, "", "you lack the right to it; if it is in a team store, you must be in the group (`mbl-cli store show`)"},
	}...)
}

// ruled turns a failure of the hands into what a person is told; nil if no
// rule fits.
func ruled(err error) *usererr.Error {
	if told := ruledDevice(err); told != nil {
		return told
	}
	for _, r := range rules() {
		if !errors.Is(err, r.is) {
			continue
		}
		message := r.message
		if message == "" {
			message = err.Error()
		}
		return usererr.New(r.code, "%s", message).WithHint("%s", r.hint).Because(err)
	}
	return nil
}
