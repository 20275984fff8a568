package ssh

// HostKey is a key that a device showed.
type HostKey struct {
	Host        string // as in known_hosts: name or address, [..]:port for other ports
	Type        string // for example ssh-ed25519
	Fingerprint string // SHA256:…, as ssh-keygen prints it
	File        string // the known_hosts file that would keep it
}
