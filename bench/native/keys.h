/* What the programs here share: the keys that bench/hosts.py has made, and how they give up. */
#ifndef MIRROR_BENCH_KEYS_H
#define MIRROR_BENCH_KEYS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/connection.h"

enum { PATH_BYTES = 512 };

_Noreturn static inline void give_up(const char *what, int result)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(-result));
    exit(1);
}

/* DIRECTORY/ca.crt, NODE.crt and NODE.key. */
static inline struct mn_tls *open_keys(const char *directory, const char *node)
{
    char paths[3][PATH_BYTES];
    char error[256];
    struct mn_tls *tls = NULL;

    (void)snprintf(paths[0], PATH_BYTES, "%s/ca.crt", directory);
    (void)snprintf(paths[1], PATH_BYTES, "%s/%s.crt", directory, node);
    (void)snprintf(paths[2], PATH_BYTES, "%s/%s.key", directory, node);
    if (mn_tls_create(paths[0], paths[1], paths[2], error, sizeof(error), &tls) != 0) {
        (void)fprintf(stderr, "bench: %s\n", error);
        exit(1);
    }
    return tls;
}

#endif
