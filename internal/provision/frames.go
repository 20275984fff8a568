package provision

import (
	"strconv"
	"strings"
)

// frames is one stream of a script's output, taken apart at its marks: every
// line of ours is a newline, the mark, a blank, words, a newline.
type frames struct {
	problem string           // why the script gave up; empty: it did not
	tidy    string           // gone or left; empty: nothing was said
	done    bool             // the script came to its end
	tools   map[string]*tool // by the name mbl_tool was given
	noise   string           // what was printed outside of tools
}

// tool is one tool's part of the stream.
type tool struct {
	output string
	ended  bool
	exit   int
}

func parseFrames(output, mark string) frames {
	f := frames{tools: map[string]*tool{}}
	running := ""
	for i, part := range strings.Split(output, "\n"+mark+" ") {
		if i == 0 {
			f.noise = part
			continue
		}
		line, text, _ := strings.Cut(part, "\n")
		running = f.read(strings.Fields(line), running)
		if t := f.tools[running]; t != nil {
			t.output += text
		} else {
			f.noise += text
		}
	}
	return f
}

// read takes one line of ours and returns the tool that runs after it.
func (f *frames) read(words []string, running string) string {
	words = append(words, "", "", "")
	switch words[0] {
	case "begin":
		f.tools[words[1]] = &tool{}
		return words[1]
	case "end":
		f.end(words[1], words[2])
		return ""
	case "problem":
		if f.problem == "" { // what follows comes of the first
			f.problem = words[1]
		}
		return ""
	case "tidy":
		f.tidy = words[1]
		return ""
	case "done":
		f.done = true
		return ""
	default: // a beat in the midst of a tool's output
		return running
	}
}

func (f *frames) end(name, status string) {
	t := f.tools[name]
	exit, err := strconv.Atoi(status)
	if t == nil || err != nil {
		return
	}
	t.ended, t.exit = true, exit
}
