// Package lwm2m is the service's door for devices: the bootstrap server and
// the management server of OMA LwM2M, on sessions of internal/coap.
//
// It knows the messages and their order, as the original client wants them.
// It decides nothing about devices: who may bootstrap or register is asked of
// package cloud through the interfaces declared here. cloudapp opens the
// ports and calls Serve.
package lwm2m
