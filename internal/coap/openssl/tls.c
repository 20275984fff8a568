//go:build openssl

#include "tls.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

enum { max_certificates = 16 << 10 }; /* bytes of a peer's chain */

/* The BIO: reads what is left of the record in hand, collects what is written. */

static int memory_read(BIO *bio, char *to, int room)
{
	mbl_tls *tls = BIO_get_data(bio);
	size_t size = tls->in_size;

	BIO_clear_retry_flags(bio);
	if (size == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (size > (size_t)room)
		size = (size_t)room;
	memcpy(to, tls->in, size);
	tls->in += size;
	tls->in_size -= size;
	return (int)size;
}

static int memory_write(BIO *bio, const char *from, int size)
{
	mbl_tls *tls = BIO_get_data(bio);
	size_t want = tls->out_size + (size_t)size;

	BIO_clear_retry_flags(bio);
	if (want > tls->out_room) {
		unsigned char *out = realloc(tls->out, want);
		if (out == NULL)
			return -1;
		tls->out = out;
		tls->out_room = want;
	}
	memcpy(tls->out + tls->out_size, from, (size_t)size);
	tls->out_size = want;
	return size;
}

static long memory_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static CRYPTO_ONCE memory_once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *memory_method;

static void memory_init(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records in memory");

	if (method == NULL)
		return;
	BIO_meth_set_read(method, memory_read);
	BIO_meth_set_write(method, memory_write);
	BIO_meth_set_ctrl(method, memory_ctrl);
	memory_method = method;
}

static BIO *memory_bio(mbl_tls *tls)
{
	BIO *bio;

	if (!CRYPTO_THREAD_run_once(&memory_once, memory_init) || memory_method == NULL)
		return NULL;
	bio = BIO_new(memory_method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	return bio;
}

/* Contexts */

/* The Go side judges the chain before anything is answered. */
static int accept_chain(X509_STORE_CTX *store, void *unused)
{
	(void)unused;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static SSL_SESSION *find_session(SSL *ssl, const unsigned char *id, int size, int *keep)
{
	mbl_tls *tls = SSL_get_app_data(ssl);
	const unsigned char *known;
	unsigned int known_size;

	*keep = 1; /* OpenSSL takes a reference of its own */
	if (tls->session == NULL)
		return NULL;
	known = SSL_SESSION_get_id(tls->session, &known_size);
	if (known_size != (unsigned int)size || memcmp(known, id, known_size) != 0)
		return NULL;
	return tls->session;
}

/* Clients of CoAP over TLS name the protocol (RFC 8323 section 8.2), others none. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
	const unsigned char *offered, unsigned int offered_size, void *unused)
{
	static const unsigned char ours[] = "\4coap";
	unsigned char *found;
	int result = SSL_select_next_proto(&found, chosen_size, ours, sizeof ours - 1, offered, offered_size);

	(void)ssl, (void)unused;
	*chosen = found;
	return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static unsigned int copy_shared(const mbl_tls *tls, unsigned char *key, unsigned int room)
{
	if (tls->shared == NULL || tls->shared_size > room)
		return 0;
	memcpy(key, tls->shared, tls->shared_size);
	return (unsigned int)tls->shared_size;
}

/* The Go side has read the identity first and found the key. */
static unsigned int find_shared(SSL *ssl, const char *identity, unsigned char *key, unsigned int room)
{
	const mbl_tls *tls = SSL_get_app_data(ssl);

	if (tls->identity == NULL || identity == NULL || strcmp(tls->identity, identity) != 0)
		return 0;
	return copy_shared(tls, key, room);
}

static unsigned int offer_shared(SSL *ssl, const char *hint, char *identity, unsigned int identity_room,
	unsigned char *key, unsigned int room)
{
	const mbl_tls *tls = SSL_get_app_data(ssl);

	(void)hint;
	if (tls->identity == NULL || strlen(tls->identity) >= identity_room)
		return 0;
	strcpy(identity, tls->identity);
	return copy_shared(tls, key, room);
}

static int use_shared_keys(SSL_CTX *ctx, const mbl_settings *s)
{
	if (s->server)
		SSL_CTX_set_psk_server_callback(ctx, find_shared);
	else
		SSL_CTX_set_psk_client_callback(ctx, offer_shared);
	return 1;
}

static int use_certificate(SSL_CTX *ctx, const mbl_settings *s)
{
	const unsigned char *key_at = s->key;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &key_at, (long)s->key_size);
	int ok = key != NULL &&
		SSL_CTX_use_certificate_ASN1(ctx, (int)s->certificate_size, s->certificate) &&
		SSL_CTX_use_PrivateKey(ctx, key) &&
		SSL_CTX_check_private_key(ctx);

	EVP_PKEY_free(key);
	return ok;
}

static int use_identity(SSL_CTX *ctx, const mbl_settings *s)
{
	return s->certificate_size == 0 ? use_shared_keys(ctx, s) : use_certificate(ctx, s);
}

static int use_algorithms(SSL_CTX *ctx, const mbl_settings *s)
{
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) &&
		SSL_CTX_set_cipher_list(ctx, s->ciphers) &&
		SSL_CTX_set1_groups_list(ctx, "P-256") &&
		SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256") &&
		SSL_CTX_set1_client_sigalgs_list(ctx, "ECDSA+SHA256");
}

static int use_sessions(SSL_CTX *ctx, const mbl_settings *s)
{
	if (!s->server || s->session_context_size == 0) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		return 1;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_get_cb(ctx, find_session);
	SSL_CTX_set_timeout(ctx, s->session_lifetime);
	return SSL_CTX_set_session_id_context(ctx, s->session_context, (unsigned int)s->session_context_size);
}

SSL_CTX *mbl_context_new(const mbl_settings *s, unsigned long *error)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(s->server ? TLS_server_method() : TLS_client_method());
	if (ctx == NULL || !use_algorithms(ctx, s) || !use_identity(ctx, s) || !use_sessions(ctx, s)) {
		*error = ERR_peek_last_error();
		ERR_clear_error();
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
		(s->server ? SSL_MODE_SEND_SERVERHELLO_TIME : SSL_MODE_SEND_CLIENTHELLO_TIME));
	if (s->certificate_size > 0) /* with a pre-shared key nobody shows a certificate */
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_chain, NULL);
	SSL_CTX_set_max_cert_list(ctx, max_certificates);
	if (s->server)
		SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return ctx;
}

int mbl_context_add_chain(SSL_CTX *ctx, const unsigned char *certificate, size_t size)
{
	X509 *parsed = d2i_X509(NULL, &certificate, (long)size);
	int ok = parsed != NULL && SSL_CTX_add1_chain_cert(ctx, parsed);

	X509_free(parsed);
	ERR_clear_error();
	return ok;
}

/* Connections */

mbl_tls *mbl_tls_new(SSL_CTX *ctx, int server)
{
	mbl_tls *tls = calloc(1, sizeof *tls);
	BIO *bio;

	if (tls == NULL)
		return NULL;
	tls->ssl = SSL_new(ctx);
	bio = tls->ssl == NULL ? NULL : memory_bio(tls);
	if (bio == NULL) {
		ERR_clear_error();
		mbl_tls_free(tls);
		return NULL;
	}
	SSL_set_bio(tls->ssl, bio, bio); /* which owns it now */
	SSL_set_app_data(tls->ssl, tls);
	if (server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
}

static void forget_key(mbl_tls *tls)
{
	free(tls->identity);
	tls->identity = NULL;
	OPENSSL_clear_free(tls->shared, tls->shared_size);
	tls->shared = NULL;
}

void mbl_tls_free(mbl_tls *tls)
{
	SSL_free(tls->ssl);
	SSL_SESSION_free(tls->session);
	forget_key(tls);
	free(tls->out);
	free(tls);
}

X509 *mbl_tls_load(mbl_tls *tls, const unsigned char *session, size_t size)
{
	mbl_tls_unload(tls);
	tls->session = d2i_SSL_SESSION(NULL, &session, (long)size);
	ERR_clear_error();
	return tls->session == NULL ? NULL : SSL_SESSION_get0_peer(tls->session);
}

int mbl_tls_resume(mbl_tls *tls)
{
	int ok = SSL_is_server(tls->ssl) || SSL_set_session(tls->ssl, tls->session);

	ERR_clear_error();
	return ok;
}

void mbl_tls_unload(mbl_tls *tls)
{
	SSL_SESSION_free(tls->session);
	tls->session = NULL;
}

static void begin(mbl_tls *tls, const unsigned char *record, size_t size)
{
	ERR_clear_error();
	tls->in = record;
	tls->in_size = size;
}

static int end(mbl_tls *tls, int result)
{
	int what = SSL_get_error(tls->ssl, result);

	tls->in = NULL;
	tls->in_size = 0;
	tls->error = ERR_peek_last_error();
	ERR_clear_error();
	switch (what) {
	case SSL_ERROR_NONE:
		return MBL_OK;
	case SSL_ERROR_WANT_READ:
		return MBL_MORE;
	default:
		return MBL_FAILED;
	}
}

int mbl_tls_use_key(mbl_tls *tls, const char *identity, const unsigned char *key, size_t size)
{
	forget_key(tls);
	tls->identity = strdup(identity);
	tls->shared = OPENSSL_memdup(key, size);
	tls->shared_size = size;
	return tls->identity != NULL && tls->shared != NULL;
}

int mbl_tls_handshake(mbl_tls *tls, const unsigned char *record, size_t size)
{
	int outcome;

	begin(tls, record, size);
	outcome = end(tls, SSL_do_handshake(tls->ssl));
	if (outcome == MBL_OK) {
		mbl_tls_unload(tls);
		forget_key(tls);
	}
	return outcome;
}

void mbl_tls_sent(mbl_tls *tls)
{
	free(tls->out);
	tls->out = NULL;
	tls->out_size = tls->out_room = 0;
}

X509 *mbl_tls_peer(const mbl_tls *tls, int i)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);

	if (i == 0)
		return SSL_get0_peer_certificate(tls->ssl);
	if (!SSL_is_server(tls->ssl)) /* a client's chain begins with the server's own certificate */
		return sk_X509_value(chain, i);
	return sk_X509_value(chain, i - 1);
}

size_t mbl_tls_most(const mbl_tls *tls)
{
	switch (SSL_SESSION_get_max_fragment_length(SSL_get0_session(tls->ssl))) {
	case TLSEXT_max_fragment_length_512:
		return 512;
	case TLSEXT_max_fragment_length_1024:
		return 1024;
	case TLSEXT_max_fragment_length_2048:
		return 2048;
	case TLSEXT_max_fragment_length_4096:
		return 4096;
	default:
		return SSL3_RT_MAX_PLAIN_LENGTH;
	}
}

void mbl_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
