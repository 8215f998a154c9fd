/* The golden files of the wire, line by line (tests/golden/wire). */
#ifndef MIRROR_TESTS_GOLDEN_H
#define MIRROR_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A golden file, found from where the test program lies, or in MIRROR_GOLDEN_WIRE. */
FILE *golden_open(const char *name);
/* The next line without its end; NULL after the last. Valid until the next call. */
char *golden_line(FILE *file);
/* Cuts the next word off a line; NULL when there is none. */
char *golden_word(char **line);
/* Bytes of a word in hex, "-" for none. Returns their count. */
size_t golden_bytes(const char *hex, uint8_t *bytes, size_t size_max);

#endif
