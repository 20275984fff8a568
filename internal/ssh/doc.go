// Package ssh logs in to one device and runs commands there, over one
// connection. It decides what may be shown to whom: a host key that is not
// known or not the known one ends the matter before a password, a key or the
// agent is offered.
//
// The way there is the one that ssh would take: the person's SSH configuration
// counts, with its jump hosts, proxy commands, agents and files of known hosts.
//
// It knows nothing of provisioning and prints nothing; questions to a person
// go through the callbacks of Config. The front doors and the workstation's
// brain call it.
package ssh
