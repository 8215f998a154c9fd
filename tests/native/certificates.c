/* See certificates.h. */
#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "check.h"

enum { PATH_BYTES = 768, DAY_S = 86400 };

static FILE *open_file(const char *directory, const char *name, const char *ending,
                       const char *mode)
{
    char path[PATH_BYTES];
    FILE *file = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s.%s", directory, name, ending);
    file = fopen(path, mode);
    CHECK(file != NULL);
    return file;
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension = NULL;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *new_certificate(const char *name, EVP_PKEY *key, long serial)
{
    X509 *certificate = X509_new();

    CHECK(certificate != NULL);
    CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S) != NULL);
    CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                     (const unsigned char *)name, -1, -1, 0) == 1);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    return certificate;
}

static void save(const char *directory, const char *name, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = open_file(directory, name, "crt", "w");

    CHECK(PEM_write_X509(file, certificate) == 1);
    CHECK_INT(fclose(file), 0);
    file = open_file(directory, name, "key", "w");
    CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK_INT(fclose(file), 0);
}

void certificates_authority(const char *directory, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = new_certificate(name, key, 1);

    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    save(directory, name, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void certificates_node(const char *directory, const char *authority, const char *node,
                       const char *dns)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = new_certificate(node, key, 2);
    FILE *file = open_file(directory, authority, "crt", "r");
    X509 *issuer = PEM_read_X509(file, NULL, NULL, NULL);
    EVP_PKEY *issuer_key = NULL;
    char names[PATH_BYTES];

    CHECK_INT(fclose(file), 0);
    file = open_file(directory, authority, "key", "r");
    issuer_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    CHECK_INT(fclose(file), 0);
    CHECK(issuer != NULL && issuer_key != NULL);
    (void)snprintf(names, sizeof(names), "DNS:%s", dns);
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(certificate, issuer, NID_subject_alt_name, names);
    CHECK(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    save(directory, node, certificate, key);
    EVP_PKEY_free(issuer_key);
    X509_free(issuer);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

struct mn_tls *certificates_tls(const char *directory, const char *authority, const char *node)
{
    char paths[3][PATH_BYTES];
    char error[256];
    struct mn_tls *tls = NULL;

    (void)snprintf(paths[0], PATH_BYTES, "%s/%s.crt", directory, authority);
    (void)snprintf(paths[1], PATH_BYTES, "%s/%s.crt", directory, node);
    (void)snprintf(paths[2], PATH_BYTES, "%s/%s.key", directory, node);
    CHECK_INT(mn_tls_create(paths[0], paths[1], paths[2], error, sizeof(error), &tls), 0);
    CHECK_TEXT(error, "");
    return tls;
}
