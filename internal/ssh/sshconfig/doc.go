// Package sshconfig reads the configuration of OpenSSH's client, ssh_config(5),
// as far as files and names alone decide it: which lines apply to a host. What
// the lines mean is the business of package ssh, its one caller.
//
// What needs more than that (commands to run, addresses to look up) ends in a
// BeyondError; nothing is guessed.
package sshconfig
