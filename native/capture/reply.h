/* Answering the kernel: all replies of a worker pass here, so that one that must be late is
 * parked. */
#ifndef MN_CAPTURE_REPLY_H
#define MN_CAPTURE_REPLY_H

#include <sys/stat.h>

#include "capture/capture.h"

/* Nobody else changes the lower directory, so what the kernel learnt stays true (design 5): ten
 * years. */
enum { MN_VALID_SECONDS = 315360000 };

void mn_reply_error(struct mn_worker *worker, const struct mn_fuse_request *request, int error);
void mn_reply_data(struct mn_worker *worker, const struct mn_fuse_request *request,
                   const void *data, size_t size);
void mn_reply_attributes(struct mn_worker *worker, const struct mn_fuse_request *request,
                         const struct stat *status);
/* The kernel keeps the attributes that it is told, and drops them at a change; but an answer that
 * was read before a change, and reaches its caller after it, is kept for good, unless the kernel
 * is told to forget. Changes of size, mode and owner it counts by itself; of these it does not:
 *
 * mn_reply_told        before the attributes of a directory are read for this caller
 * mn_reply_changed     before the reply to a change of what is in that directory: who made it has
 *                      read whatever it was told; anybody else may have an answer on the way
 * mn_reply_forget      before the reply to a change of anything else */
void mn_reply_told(struct mn_node *node, const struct mn_fuse_request *request);
void mn_reply_changed(struct mn_worker *worker, const struct mn_fuse_request *request,
                      struct mn_node *directory);
void mn_reply_forget(struct mn_worker *worker, const struct mn_node *node);
void mn_fill_attributes(const struct stat *status, struct fuse_attr *attributes_out);
void mn_fill_entry(const struct mn_node *node, const struct stat *status,
                   struct fuse_entry_out *entry_out);

#endif
