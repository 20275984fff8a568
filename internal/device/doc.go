// Package device is what a device does with its cloud credentials: take them
// in (Provision), say whether they are in order (Verify), and use them to
// bootstrap, register and stay connected (Agent).
//
// It decides what happens next; keystore stores, coap talks, lwm2m encodes.
// It prints nothing: internal/deviceapp is its only caller and has the words.
package device
