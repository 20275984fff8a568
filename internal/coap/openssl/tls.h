/*
 * The TLS handshake of one connection over memory: the caller brings each record of the peer
 * and fetches what is to be sent. No function waits, calls back into Go, or
 * keeps a pointer it was given.
 */
#ifndef MBL_TLS_H
#define MBL_TLS_H

#include <stddef.h>

#include <openssl/ssl.h>

/* What came of a step. */
enum {
	MBL_OK = 1,
	MBL_MORE = 0,     /* the next record of the peer is needed */
	MBL_FAILED = -1,  /* mbl_tls.error says why; there may be an alert to send */
};

typedef struct {
	SSL *ssl;
	const unsigned char *in; /* rest of the record in hand, NULL between calls */
	size_t in_size;
	unsigned char *out; /* to be sent; NULL when there is nothing */
	size_t out_size, out_room;
	SSL_SESSION *session; /* that may be resumed, or NULL */
	char *identity;       /* of the pre-shared key, or NULL */
	unsigned char *shared;
	size_t shared_size;
	unsigned long error;  /* of OpenSSL */
} mbl_tls;

typedef struct {
	int server;
	const char *ciphers;
	const unsigned char *certificate, *key; /* DER; without, pre-shared keys are used */
	size_t certificate_size, key_size;
	const unsigned char *session_context;
	size_t session_context_size; /* 0: no sessions */
	long session_lifetime;       /* seconds */
} mbl_settings;

/* mbl_context_new returns NULL and sets *error when something does not fit. */
SSL_CTX *mbl_context_new(const mbl_settings *settings, unsigned long *error);
int mbl_context_add_chain(SSL_CTX *ctx, const unsigned char *certificate, size_t size);

mbl_tls *mbl_tls_new(SSL_CTX *ctx, int server);
void mbl_tls_free(mbl_tls *tls);

/* mbl_tls_load reads a session and returns its peer's certificate, or NULL. */
X509 *mbl_tls_load(mbl_tls *tls, const unsigned char *session, size_t size);
/* mbl_tls_resume allows the loaded session, mbl_tls_unload forgets it. */
int mbl_tls_resume(mbl_tls *tls);
void mbl_tls_unload(mbl_tls *tls);

/* mbl_tls_use_key sets the pre-shared key that an identity proves, until the
 * handshake is done. It returns 0 without memory. */
int mbl_tls_use_key(mbl_tls *tls, const char *identity, const unsigned char *key, size_t size);

int mbl_tls_handshake(mbl_tls *tls, const unsigned char *record, size_t size);

/* mbl_tls_sent forgets the output. */
void mbl_tls_sent(mbl_tls *tls);

/* mbl_tls_peer returns the peer's certificate number i of its chain, or NULL. */
X509 *mbl_tls_peer(const mbl_tls *tls, int i);
/* mbl_tls_most is the longest message that fits one record. */
size_t mbl_tls_most(const mbl_tls *tls);

/* mbl_give_back returns unused memory to the system, where the C library can. */
void mbl_give_back(void);

#endif
