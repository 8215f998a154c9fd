/* Descriptors of files that are being written, kept open between writes: a bounded number, the
 * least recently used one goes. A write-back error is not missed when one is closed: syncfs on the
 * root's own descriptor reports it (Linux 5.8). Private to apply/. */
#ifndef MN_APPLY_OPEN_FILES_H
#define MN_APPLY_OPEN_FILES_H

#include "lower/lower.h"

struct mn_open_files;

int mn_open_files_create(struct mn_open_files **files_out);
void mn_open_files_destroy(struct mn_open_files *files);
/* No one may hold a descriptor. */
void mn_open_files_clear(struct mn_open_files *files);
/* A descriptor for reading and writing, to be given back with its slot. Returns 0 or -errno. */
int mn_open_files_take(struct mn_open_files *files, const struct mn_root *root,
                       const struct mn_id *id, const struct mn_handle *handle, int *fd_out,
                       uint32_t *slot_out);
void mn_open_files_give(struct mn_open_files *files, uint32_t slot);
/* As take, when it is open anyway; else MN_NOT_OPEN, and nothing is to be given back. */
enum { MN_NOT_OPEN = 1 };
int mn_open_files_borrow(struct mn_open_files *files, const struct mn_root *root,
                         const struct mn_id *id, int *fd_out, uint32_t *slot_out);
/* fd, open for reading and writing, is owned from now on. */
void mn_open_files_put(struct mn_open_files *files, const struct mn_root *root,
                       const struct mn_id *id, int fd);
/* The object lost a name or changed its flags: its space must not be held, its mode be looked at.
 */
void mn_open_files_drop(struct mn_open_files *files, const struct mn_root *root,
                        const struct mn_id *id);

#endif
