package cli

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mbl/internal/cloudapi"
	"mbl/internal/lwm2m"
)

const deviceReadExamples = `  mbl-cli device read my-board /3/0/0
  mbl-cli device read my-board /3
  mbl-cli -o json device read my-board /3/0/13`

func newDeviceReadCommand(a *app) *cobra.Command {
	request := deviceRequest{DeviceRequest: cloudapi.DeviceRequest{Method: "GET"}}
	cmd := a.newDeviceRequestCommand("read DEVICE PATH", "Read a resource, or a whole object, of a connected device", deviceReadExamples, "DEVICE", "PATH")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.device, request.Path = args[0], args[1]
		id, answer, err := a.askDevice(cmd.Context(), request)
		if err != nil {
			return err
		}
		reading := newReading(id, request.Path, *answer)
		return a.print(reading, func(w io.Writer) { writeReading(w, reading) })
	}
	cmd.Flags().StringVar(&request.Accept, "accept", "", "`MEDIA-TYPE` to ask for, such as application/vnd.oma.lwm2m+tlv")
	addTimeoutFlag(cmd, &request.timeout)
	return cmd
}

// reading is what was read of a device.
type reading struct {
	DeviceID    string         `json:"device_id"`
	Path        string         `json:"path"`
	ContentType string         `json:"content_type"`
	Value       string         `json:"value"`               // text, or 0x and hex digits
	Payload     string         `json:"payload_base64"`      // the value's bytes
	Resources   []readResource `json:"resources,omitempty"` // of an object or instance
}

// readResource is one resource of an object or instance.
type readResource struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

func newReading(id, path string, answer cloudapi.DeviceAnswer) reading {
	read := reading{
		DeviceID: id, Path: path, ContentType: answer.ContentType,
		Value: showValue(answer.Payload), Payload: base64.StdEncoding.EncodeToString(answer.Payload),
	}
	if answer.ContentType == "application/vnd.oma.lwm2m+tlv" {
		if items, err := lwm2m.DecodeTLV(answer.Payload); err == nil {
			read.Resources = readResources(parentOf(path, items), items)
		}
	}
	return read
}

// parentOf is the path that items lie under: that of a resource is itself an
// item of the answer (LwM2M 1.0, section 6.4.3).
func parentOf(path string, items []lwm2m.TLV) string {
	parsed, err := lwm2m.ParsePath(path)
	if err != nil || len(items) == 0 {
		return path
	}
	level := 2 // items are resources
	switch items[0].Kind {
	case lwm2m.ObjectInstance:
		level = 1
	case lwm2m.ResourceInstance:
		level = 3
	}
	return parsed[:min(level, len(parsed))].String()
}

func readResources(parent string, items []lwm2m.TLV) []readResource {
	var read []readResource
	for _, item := range items {
		path := fmt.Sprintf("%s/%d", parent, item.ID)
		if item.Kind == lwm2m.Resource || item.Kind == lwm2m.ResourceInstance {
			read = append(read, readResource{path, showValue(item.Value)})
			continue
		}
		read = append(read, readResources(path, item.Children)...)
	}
	return read
}

// showValue is a value as text if it is one, else in hex digits.
func showValue(value []byte) string {
	if !utf8.Valid(value) {
		return "0x" + hex.EncodeToString(value)
	}
	for _, r := range string(value) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return "0x" + hex.EncodeToString(value)
		}
	}
	return string(value)
}

func writeReading(w io.Writer, read reading) {
	if read.Resources == nil {
		fmt.Fprintln(w, read.Value)
		return
	}
	for _, resource := range read.Resources {
		fmt.Fprintf(w, "%s\t%s\n", resource.Path, oneLine(resource.Value))
	}
}
