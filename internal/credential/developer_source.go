package credential

import (
	"fmt"
	"strings"
)

const developerHead = `/*
 * Developer credentials of a Device Management account, written by mbl.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Compile this file into a device's client application. A device that holds
 * these values joins the account named below as a development device, until
 * the certificate is deleted in the service.
 *
 * There is a private key in here, and whoever has it can connect devices to
 * the account. Keep this file out of public places, and delete the
 * certificate in the service once the file has been in one.
 *
 * The values come as they are, without a warranty or condition of any kind,
 * either express or implied.
 */
#ifndef __MBED_CLOUD_DEV_CREDENTIALS_H__
#define __MBED_CLOUD_DEV_CREDENTIALS_H__

#include <inttypes.h>

`

const developerFoot = `
#endif //__MBED_CLOUD_DEV_CREDENTIALS_H__
`

const bytesPerRow = 8

// Source is the credentials as C source, in the original service's layout to
// the byte from the include guard on: its readers look for the include line
// and for " = ". (Texts that hold a semicolon or " = " are beyond them.)
func (d *Developer) Source() []byte {
	var b strings.Builder
	b.WriteString(developerHead)
	writeText(&b, VarEndpointName, d.EndpointName)
	writeText(&b, VarAccountID, d.AccountID)
	writeText(&b, VarServerURI, d.ServerURI)
	b.WriteByte('\n')
	d.writeArrays(&b)
	d.writeProperties(&b)
	d.writeSizes(&b)
	b.WriteString(developerFoot)
	return []byte(b.String())
}

// arrays are the byte arrays that are there, in the file's order.
func (d *Developer) arrays() []Variable {
	all := []Variable{
		{VarDeviceCertificate, d.DeviceCertificate},
		{VarServerCACertificate, d.ServerCACertificate},
		{VarLwM2MCACertificate, d.LwM2MCACertificate},
		{VarPrivateKey, d.PrivateKey},
	}
	if len(d.LwM2MCACertificate) == 0 {
		all = append(all[:2], all[3])
	}
	return all
}

func (d *Developer) writeArrays(b *strings.Builder) {
	for _, array := range d.arrays() {
		fmt.Fprintf(b, "const uint8_t %s[] = \n{ ", array.Name)
		writeBytes(b, array.Data)
		b.WriteString(" };\n\n")
	}
}

func writeBytes(b *strings.Builder, data []byte) {
	for i, c := range data {
		switch {
		case i == 0:
		case i%bytesPerRow == 0:
			b.WriteString(",\n ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "0x%02x", c)
	}
}

func (d *Developer) writeProperties(b *strings.Builder) {
	for _, property := range []struct{ name, text string }{
		{VarManufacturer, d.Manufacturer},
		{VarModelNumber, d.ModelNumber},
		{VarSerialNumber, d.SerialNumber},
		{VarDeviceType, d.DeviceType},
		{VarHardwareVersion, d.HardwareVersion},
	} {
		writeText(b, property.name, property.text)
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "const uint32_t %s = %d;\n\n", VarMemoryTotalKB, d.MemoryTotalKB)
}

func (d *Developer) writeSizes(b *strings.Builder) {
	for _, array := range d.arrays() {
		fmt.Fprintf(b, "const uint32_t %[1]s_SIZE = sizeof(%[1]s);\n", array.Name)
	}
}

func writeText(b *strings.Builder, name, text string) {
	fmt.Fprintf(b, "const char %s[] = %s;\n", name, quote(text))
}
