// Package provision is the workstation's brain for provisioning a device: it
// decides where the certificates come from, in which order things are checked,
// created and sent, and what a device's answer means.
//
// It prints nothing and knows no flags; the front door calls it and tells
// people. It speaks to a device over one connection that is there already, in
// one command: a shell script that works on any device with a POSIX shell and
// pelion-provisioning-util, the original's or ours.
package provision
