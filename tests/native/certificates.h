/* Authorities and node certificates for the tests of the link, made by OpenSSL on the spot. */
#ifndef MIRROR_TESTS_CERTIFICATES_H
#define MIRROR_TESTS_CERTIFICATES_H

#include "link/connection.h"

/* Make an authority of this name in the directory: NAME.crt, NAME.key. */
void certificates_authority(const char *directory, const char *name);
/* Make NODE.crt and NODE.key, signed by the authority, with the alternative name `dns`. */
void certificates_node(const char *directory, const char *authority, const char *node,
                       const char *dns);
/* What the node of these files uses, trusting that authority. */
struct mn_tls *certificates_tls(const char *directory, const char *authority, const char *node);

#endif
