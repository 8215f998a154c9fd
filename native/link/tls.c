/* See tls.h. */
#include "link/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "link/connection.h"

enum {
    RECORD_BYTES_MAX = 16384,
    /* What one recv may bring: a frame of 4 KiB comes whole, a large one in few calls. */
    READ_AHEAD_BYTES = 64 * 1024,
};
/* RFC 8446 5.5: at most 2^24.5 records under one AES-GCM key. At 40,000 writes a second that is
 * ten minutes, and OpenSSL leaves it to us. */
static const uint64_t RECORD_COUNT_MAX = (uint64_t)1 << 23;

struct mn_tls {
    SSL_CTX *context;
    BIO_METHOD *bio_method; /* moves bytes through mn_stream: deadlines, no SIGPIPE */
};

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

/* Errors stay in the stream, which remembers the first. */
static int bio_read(BIO *bio, char *data, int size)
{
    ssize_t count = size <= 0 ? 0 : mn_stream_receive(BIO_get_data(bio), data, (size_t)size);

    return count < 0 ? -1 : (int)count;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    ssize_t count = size <= 0 ? 0 : mn_stream_send(BIO_get_data(bio), data, (size_t)size);

    return count < 0 ? -1 : (int)count;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mirror stream");

    if (method && BIO_meth_set_create(method, bio_create) && BIO_meth_set_read(method, bio_read) &&
        BIO_meth_set_write(method, bio_write) && BIO_meth_set_ctrl(method, bio_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* Whether the processor computes AES itself. Without, ChaCha20 is several times faster. */
static int has_aes(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
    return 0;
#endif
}

static int configure(SSL_CTX *context)
{
    const char *suites = has_aes() ? "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
                                   : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_BYTES);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_ciphersuites(context, suites) && SSL_CTX_set_num_tickets(context, 0);
}

static int refuse(char *error_out, size_t error_size, const char *what, const char *path)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    (void)snprintf(error_out, error_size, "%s not usable: %s: %s", what, path,
                   reason ? reason : "no reason given");
    ERR_clear_error();
    return -EINVAL;
}

static int load_keys(SSL_CTX *context, const char *ca_path, const char *certificate_path,
                     const char *key_path, char *error_out, size_t error_size)
{
    if (!SSL_CTX_load_verify_locations(context, ca_path, NULL))
        return refuse(error_out, error_size, "authority", ca_path);
    if (SSL_CTX_use_certificate_chain_file(context, certificate_path) != 1)
        return refuse(error_out, error_size, "certificate", certificate_path);
    if (SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1)
        return refuse(error_out, error_size, "key", key_path);
    return 0;
}

int mn_tls_create(const char *ca_path, const char *certificate_path, const char *key_path,
                  char *error_out, size_t error_size, struct mn_tls **tls_out)
{
    struct mn_tls *tls = calloc(1, sizeof(*tls));
    int result = -ENOMEM;

    *tls_out = NULL;
    (void)snprintf(error_out, error_size, "no memory");
    if (!tls)
        return result;
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_method());
    tls->bio_method = make_bio_method();
    if (!tls->context || !tls->bio_method)
        goto out;
    if (!configure(tls->context)) {
        result = refuse(error_out, error_size, "TLS 1.3", "OpenSSL");
        goto out;
    }
    result = load_keys(tls->context, ca_path, certificate_path, key_path, error_out, error_size);
out:
    if (result != 0) {
        mn_tls_destroy(tls);
        return result;
    }
    error_out[0] = '\0';
    *tls_out = tls;
    return 0;
}

void mn_tls_destroy(struct mn_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->bio_method);
    free(tls);
}

/* The alerts by which the other end says that it does not accept our certificate. */
static int is_certificate_alert(unsigned long error)
{
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return 0;
    switch (ERR_GET_REASON(error)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return 1;
    default: return 0;
    }
}

/* What an OpenSSL call that did not succeed means. The stream forgets it never. */
static int session_error(struct mn_tls_session *session, int returned)
{
    int kind = SSL_get_error(session->ssl, returned);
    unsigned long error = ERR_peek_error();
    int result = -EPROTO;

    if (session->stream->error != 0)
        result = session->stream->error;
    else if (kind == SSL_ERROR_ZERO_RETURN)
        result = -ECONNRESET;
    else if (SSL_get_verify_result(session->ssl) != X509_V_OK || is_certificate_alert(error) ||
             ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        result = -EPERM;
    ERR_clear_error();
    session->stream->error = result;
    return result;
}

static int expect_name(SSL *ssl, const char *peer_name)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);

    /* An alternative name of type DNS, letter by letter: no wildcard, no common name. */
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_WILDCARDS |
                                                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return peer_name[0] != '\0' && X509_VERIFY_PARAM_set1_host(parameters, peer_name, 0);
}

int mn_tls_session_open(struct mn_tls_session *session, struct mn_tls *tls,
                        struct mn_stream *stream, const char *peer_name, int is_server)
{
    BIO *bio = NULL;
    int returned = 0;

    *session = (struct mn_tls_session){.stream = stream, .record_count_max = RECORD_COUNT_MAX};
    ERR_clear_error();
    session->ssl = SSL_new(tls->context);
    bio = BIO_new(tls->bio_method);
    if (!session->ssl || !bio || !expect_name(session->ssl, peer_name)) {
        BIO_free(bio);
        ERR_clear_error();
        return -ENOMEM;
    }
    BIO_set_data(bio, stream);
    SSL_set_bio(session->ssl, bio, bio); /* owned by ssl from here on */
    returned = is_server ? SSL_accept(session->ssl) : SSL_connect(session->ssl);
    return returned == 1 ? 0 : session_error(session, returned);
}

void mn_tls_session_close(struct mn_tls_session *session)
{
    SSL_free(session->ssl);
    session->ssl = NULL;
}

ssize_t mn_tls_session_receive(struct mn_tls_session *session, uint8_t *data, size_t size)
{
    int count = 0;

    if (session->stream->error != 0)
        return session->stream->error;
    ERR_clear_error();
    count = SSL_read(session->ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
    return count > 0 ? count : session_error(session, count);
}

int mn_tls_session_send(struct mn_tls_session *session, const uint8_t *data, size_t size)
{
    int returned = 0;

    assert(size > 0 && size <= INT32_MAX);
    if (session->stream->error != 0)
        return session->stream->error;
    ERR_clear_error();
    session->record_count += size / RECORD_BYTES_MAX + 1;
    if (session->record_count > session->record_count_max) {
        session->record_count = size / RECORD_BYTES_MAX + 1;
        if (!SSL_key_update(session->ssl, SSL_KEY_UPDATE_NOT_REQUESTED))
            return session_error(session, 0);
    }
    returned = SSL_write(session->ssl, data, (int)size);
    return returned > 0 ? 0 : session_error(session, returned);
}
