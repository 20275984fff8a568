package cli

import (
	"io"
	"os"
	"slices"
	"unicode/utf8"

	"golang.org/x/term"
)

// columnGap is what stands between two columns of a table.
const columnGap = 2

// screenSize is that of the terminal w writes to, 80 by 24 where it is none
// or does not tell.
func screenSize(w io.Writer) (columns, rows int) {
	if terminal, ok := w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(terminal.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

// fitTable leaves columns out of a table that is wider than columns, those
// with the headers in spare, one after the other, until it fits. The first row
// is the header. Lines that wrap cannot be read as a table.
func fitTable(table [][]string, columns int, spare ...string) [][]string {
	for _, header := range spare {
		if tableWidth(table) <= columns {
			break
		}
		table = withoutColumn(table, slices.Index(table[0], header))
	}
	return table
}

func tableWidth(table [][]string) int {
	width := -columnGap
	for column := range table[0] {
		widest := 0
		for _, row := range table {
			widest = max(widest, utf8.RuneCountInString(row[column]))
		}
		width += widest + columnGap
	}
	return width
}

func withoutColumn(table [][]string, column int) [][]string {
	rest := make([][]string, len(table))
	for i, row := range table {
		rest[i] = slices.Delete(slices.Clone(row), column, column+1)
	}
	return rest
}
