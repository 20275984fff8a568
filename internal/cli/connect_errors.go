package cli

import (
	"errors"
	"fmt"
	"strings"

	"mbl/internal/credential"
	"mbl/internal/provision"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

// deviceRules say what a person is told about a device that cannot be reached
// or does not do as it should.
func deviceRules() []rule {
	const (
		failure = usererr.ExitFailure
		usage   = usererr.ExitUsage
	)
	return []rule{
		{ssh.ErrTarget, usage, "", "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{ssh.ErrConfig, failure, "", "`ssh -v` shows how ssh itself understands the file"},
		{ssh.ErrUnreachable, failure, "", "is it switched on, on this network, with an SSH server? `mbl-cli list` shows the devices that answer"},
		{ssh.ErrTimeout, failure, "", "is it switched on, and does a firewall let SSH through? `mbl-cli list` shows the devices that answer"},
		{ssh.ErrProtocol, failure, "", "check the address and the port; -v shows the cause"},
		{ssh.ErrExec, failure, "", "the account on the device needs a shell"},
		{provision.ErrSecretsLeft, failure, "", "delete that folder on the device: rm -rf /scratch/provisioning-certs"},
		{provision.ErrNoUtil, failure, "", "is this an Mbed Linux OS device, or a board with mbl-device on it?"},
		{provision.ErrNoScratch, failure, "", "is this an Mbed Linux OS device, or a board with mbl-device on it?"},
		{provision.ErrReadOnly, failure, "", "mount it so that it can be written; an account other than root needs sudo or doas without a password"},
		{provision.ErrNoSpace, failure, "", "make some room there, and run the command again"},
		{provision.ErrWrite, failure, "", "it has to be writable for the account that logs in"},
		{provision.ErrTaken, failure, "", "let them finish, and run the command again if the device is to have these credentials"},
		{provision.ErrStopped, failure, "", "run the command again"},
		{provision.ErrSlow, failure, "", "look what hangs there with `mbl-cli shell`, or start the device anew, and run the command again"},
		{provision.ErrOldUtil, failure, "", "it does not know --get-pelion-status: bring the device's software up to date, or move it away and put mbl-device there with `mbl-cli enroll`"},
		{provision.ErrBadUtil, failure, "", "is it a program for that processor? Move it away, and `mbl-cli enroll` puts the right mbl-device there"},
		{provision.ErrUtilBrokeOff, failure, "", "is memory short there? Look with `mbl-cli shell`, and run the command again"},
		{provision.ErrFloods, failure, "", "look what it says there with `mbl-cli shell`"},
		{provision.ErrHangs, failure, "", "look what hangs there with `mbl-cli shell`, or start the device anew; the credentials may still lie in /scratch/provisioning-certs"},
		{provision.ErrToolFailed, failure, "", "the device keeps what it had before, or less; `mbl-cli get-pelion-status` shows what it says of itself"},
		{provision.ErrNotConfigured, failure, "", "`mbl-cli provision-pelion` provisions it"},
		{provision.ErrNoAnswer, failure, "", "the account on the device needs a POSIX shell; -v shows more"},
		{provision.ErrCreated, failure, "", "run the command again without --create-dev-cert to use it"},
		{provision.ErrNameTaken, failure, "", "choose another name for the developer certificate"},
		{provision.ErrNoCertificate, failure, "", "--create-dev-cert creates it; `mbl-cli list-certificates` shows what there is"},
		{provision.ErrNoUpdate, failure, "", "`mbl-cli create-update-certificate` makes one; an update_default_resources.c can be given by its path, such as ./update_default_resources.c"},
		{provision.ErrOtherKind, failure, "", "the developer certificate is named first, then the update certificate; `mbl-cli list-certificates --local` shows which is which"},
		{provision.ErrOneName, usage, "", "give each a name of its own"},
		{provision.ErrFileName, usage, "", "choose another name"},
		{provision.ErrOtherUpdate, failure, "", "choose another name, or give the file's path in place of the name"},
		{provision.ErrCannotSign, failure, "", "mbl-cloud can; without --per-device the devices share the developer certificate"},
		{provision.ErrOtherDeveloper, failure, "", "its devices' certificates are signed by the service it came from: --api-url names another"},
		{provision.ErrFile, failure, "", "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
	}
}

// ruledDevice tells about failures whose particulars matter; nil if err is
// none of those.
func ruledDevice(err error) *usererr.Error {
	var key *ssh.HostKeyError
	var login *ssh.LoginError
	var check *credential.CheckError
	var missing *credential.MissingError
	switch {
	case errors.As(err, &key):
		return hostKeyRefusal(key)
	case errors.As(err, &login):
		return loginRefusal(login).Because(err)
	case errors.Is(err, ssh.ErrDropped):
		return usererr.Failure("%w", err).WithHint("check the device and the network, and run the command again")
	case errors.As(err, &check):
		return usererr.Failure("%w", err).WithHint("%s", otherCertificate(check.Item))
	case errors.As(err, &missing) && !errors.Is(err, provision.ErrFile):
		return usererr.Failure("%w", err).WithHint("restore the file in the team store; `mbl-cli doctor` looks at all of them")
	default:
		return nil
	}
}

// otherCertificate is what to do about a certificate that no device would take.
func otherCertificate(variable string) string {
	if credential.IsUpdateVariable(variable) {
		return "nothing was sent to the device; `mbl-cli create-update-certificate` makes one that devices take"
	}
	return "nothing was sent to the device; --create-dev-cert makes another, under another name"
}

func hostKeyRefusal(key *ssh.HostKeyError) *usererr.Error {
	switch {
	case errors.Is(key, ssh.ErrHostKeyChanged):
		return usererr.Failure("the host key of %s has changed: it is %s %s now, known is %s", key.Host, key.Type, key.Fingerprint, knownFingerprints(key.Known)).
			Because(key).
			WithHint("if the device was flashed anew, forget the old key with `%s`; if not, somebody may be listening in", key.Remedy())
	case errors.Is(key, ssh.ErrHostKeyRevoked):
		return usererr.Failure("the host key %s of %s is marked as revoked in %s", key.Fingerprint, key.Host, knownPlaces(key.Known)).Because(key)
	default:
		return usererr.Failure("the host key of %s is not known: %s %s", key.Host, key.Type, key.Fingerprint).
			Because(key).
			WithHint("compare it with the device's (`ssh-keygen -lf` on /etc/ssh/ssh_host_*_key.pub there), then add --accept-new-host-key")
	}
}

func knownFingerprints(known []ssh.KnownKey) string {
	var texts []string
	for _, key := range known {
		texts = append(texts, fmt.Sprintf("%s %s (%s:%d)", key.Type, key.Fingerprint, key.File, key.Line))
	}
	return strings.Join(texts, ", ")
}

func knownPlaces(known []ssh.KnownKey) string {
	var texts []string
	for _, key := range known {
		texts = append(texts, fmt.Sprintf("%s:%d", key.File, key.Line))
	}
	return strings.Join(texts, ", ")
}

func loginRefusal(login *ssh.LoginError) *usererr.Error {
	who := "the device"
	if login.Jump {
		who = "the jump host " + login.Host
	}
	message := fmt.Sprintf("%s refused the login as %s; tried: %s", who, login.User, strings.Join(login.Tried, ", "))
	if len(login.Notes) > 0 {
		message += "; could not try: " + strings.Join(login.Notes, ", ")
	}
	if login.Said != "" {
		message += fmt.Sprintf("; it says: %q", login.Said)
	}
	return usererr.New(usererr.ExitFailure, "%s", message).WithHint("%s", loginHint(login))
}

func loginHint(login *ssh.LoginError) string {
	if login.TooMany {
		return "it counts every key; name the right one with IdentityFile in ~/.ssh/config, and set IdentitiesOnly yes"
	}
	hint := "give the account a key or password the device knows; `ssh-copy-id` puts your key there"
	if len(login.Offered) > 0 {
		hint += "; it takes: " + strings.Join(login.Offered, ", ")
	}
	return hint
}
