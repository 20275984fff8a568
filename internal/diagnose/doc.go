// Package diagnose finds the broken link between a workstation, a device and
// the service: it walks stores, certificates, service and device, and says
// what is wrong and which command mends it. It changes nothing anywhere.
//
// It prints nothing; mbl-cli doctor calls it and tells people. To the device
// it speaks over one connection, with one shell script.
package diagnose
