/* A directory of the test's own, beneath TMPDIR, and whether this run may use it as a lower root:
 * identities need root and a file system with trusted attributes and handles. */
#ifndef MIRROR_TESTS_SCRATCH_H
#define MIRROR_TESTS_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_PATH_BYTES = 512 };

/* 1: path_out is a new empty directory. 0: this run cannot have one; the reason is printed. */
int scratch_make(char path_out[SCRATCH_PATH_BYTES]);
/* Removes it and what it holds. */
void scratch_remove(const char *path);
/* A file's first bytes into a buffer; returns their count, -1 when there is no such file. */
int64_t scratch_read(const char *directory, const char *name, char *buffer, size_t size);

#endif
