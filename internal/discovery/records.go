package discovery

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/miekg/dns"
)

// kindsName lists the kinds of services there are (RFC 6763 section 9).
const kindsName = "_services._dns-sd._udp.local."

// isUnique: nobody else may have a record of that name and type.
func isUnique(record dns.RR) bool { return record.Header().Class&topBit != 0 }

// sameName compares names as DNS does.
func sameName(a, b string) bool { return dns.CanonicalName(a) == dns.CanonicalName(b) }

// sameRecord tells whether two records say the same, whatever their life.
func sameRecord(a, b dns.RR) bool {
	one, other := dns.Copy(a), dns.Copy(b)
	one.Header().Class &^= topBit
	other.Header().Class &^= topBit
	return dns.IsDuplicate(one, other)
}

// claims are the records of a message about a name.
func claims(records []dns.RR, name string) []dns.RR {
	var about []dns.RR
	for _, record := range records {
		if sameName(record.Header().Name, name) {
			about = append(about, record)
		}
	}
	return about
}

// compareClaims decides which of two hosts that want a name at the same moment
// gets it: the one whose records are later (RFC 6762 section 8.2). 0: they want
// the same, so there is no quarrel.
func compareClaims(a, b []dns.RR) int {
	return slices.CompareFunc(sortedClaims(a), sortedClaims(b), compareRecords)
}

func sortedClaims(records []dns.RR) []dns.RR {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, compareRecords)
	return sorted
}

func compareRecords(a, b dns.RR) int {
	return cmp.Or(
		cmp.Compare(a.Header().Class&^topBit, b.Header().Class&^topBit),
		cmp.Compare(a.Header().Rrtype, b.Header().Rrtype),
		bytes.Compare(recordData(a), recordData(b)),
	)
}

// recordData is what a record says, as it stands in a message, names in full.
func recordData(record dns.RR) []byte {
	wire := make([]byte, dns.Len(record))
	end, err := dns.PackRR(record, wire, 0, nil, false)
	if err != nil {
		return nil
	}
	name := make([]byte, dns.Len(record))
	header, err := dns.PackDomainName(record.Header().Name, name, 0, nil, false)
	if err != nil {
		return nil
	}
	const afterName = 10 // type, class, life, length
	return wire[min(header+afterName, end):end]
}

// nothingElse says of a name what types it has, in place of those that are
// asked for and that it does not have (RFC 6762 section 6.1).
func nothingElse(name string, records []dns.RR) *dns.NSEC {
	nsec := &dns.NSEC{
		Hdr:        dns.RR_Header{Name: name, Rrtype: dns.TypeNSEC, Class: dns.ClassINET | topBit, Ttl: hostLife},
		NextDomain: name,
	}
	for _, record := range claims(records, name) {
		nsec.TypeBitMap = append(nsec.TypeBitMap, record.Header().Rrtype)
	}
	slices.Sort(nsec.TypeBitMap)
	nsec.TypeBitMap = slices.Compact(nsec.TypeBitMap)
	return nsec
}
