package cloud

import "time"

// ServerCredential is what a device must know of one of the LwM2M servers.
type ServerCredential struct {
	ID          string
	URI         string // coaps://host:port, the bootstrap server's with ?aid=<account id>
	Certificate []byte // DER, of the CA that issued the server's certificate
	CreatedAt   time.Time
}

// BootstrapCredential describes the bootstrap server to an account.
func (s *Service) BootstrapCredential(who Principal) ServerCredential {
	return s.serverCredential(BootstrapAuthority, s.bootstrapURI(who.AccountID))
}

// LwM2MCredential describes the management server.
func (s *Service) LwM2MCredential() ServerCredential {
	return s.serverCredential(LwM2MAuthority, "coaps://"+s.servers.LwM2M)
}

func (s *Service) serverCredential(name AuthorityName, uri string) ServerCredential {
	record := s.authorities[name].record
	return ServerCredential{ID: record.ID, URI: uri, Certificate: record.Certificate, CreatedAt: record.CreatedAt}
}

func (s *Service) bootstrapURI(accountID string) string {
	return "coaps://" + s.servers.Bootstrap + "?aid=" + accountID
}

func (s *Service) lwm2mURI(accountID string) string {
	return "coaps://" + s.servers.LwM2M + "?aid=" + accountID
}
