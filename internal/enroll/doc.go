// Package enroll makes an ordinary Linux board a device: it puts mbl-device
// there, under both its names, with a service that starts it and an
// announcement that lets people find it; and it takes all of that away again.
//
// It decides what a board lacks, and writes the shell scripts that put it
// there: all of it or nothing. It knows no flags and prints nothing; mbl-cli
// enroll calls it over a connection that is there already.
package enroll
