// Package transfer copies files and folders between this machine and a device,
// over a connection that package ssh has made: by SFTP, or through the device's
// shell where its SSH server has none, or by scp where the account has no shell
// either. The shell comes before scp: it can rename, make links and compute
// checksums.
//
// A file arrives under a name of its own (.NAME.part), is compared with its
// source, and only then gets its name; so nothing half-written ever carries
// it, except on a device that has only scp (see scpDevice). What a broken connection leaves is taken up again by the next copy.
//
// It prints nothing and decides nothing about devices. mbl-cli's get and put
// call it.
package transfer
