/* What is not replicated, on disk: where a directory goes, its local entries must be thought of.
 */
#ifndef MN_LOWER_LOCAL_H
#define MN_LOWER_LOCAL_H

#include "lower/lower.h"

/* The path of a descriptor relative to the root; "" for the root itself. -ESTALE: not known. */
int mn_lower_path(const struct mn_root *root, int fd, char *path_out, size_t size);
/* 0 when a directory is empty, else -ENOTEMPTY, or -errno. directory_fd: where it stands. */
int mn_lower_check_empty(int directory_fd, const char *name);

/* A directory shall move from one path to another. 0 when every entry beneath it stays what it is,
 * replicated or local; else -EXDEV (also when there are too many to be asked). */
int mn_local_check_move(const struct mn_root *root, int directory_fd, const char *name,
                        const char *path, const char *new_path);
/* The same on the secondary, whose local entries are its own: those that would become replicated
 * are kept aside. */
int mn_local_prepare_move(const struct mn_root *root, int directory_fd, const char *name,
                          const char *path, const char *new_path);
/* Every local entry beneath a directory, at the path it had, is kept aside: what else is in it
 * will be removed. Deeper than the walk goes (DEPTH_MAX of local.c), nothing is. */
int mn_local_keep(const struct mn_root *root, int directory_fd, const char *name,
                  const char *path);
/* What stands at a name is kept aside: it is in the way of what is replicated. */
int mn_local_keep_one(const struct mn_root *root, int directory_fd, const char *name,
                      const char *path);
/* A directory is to go. When it holds nothing but local entries it is kept aside with them, and 0
 * is returned; else -ENOTEMPTY. path: its own. */
int mn_local_remove_directory(const struct mn_root *root, int directory_fd, const char *name,
                              const char *path);

#endif
