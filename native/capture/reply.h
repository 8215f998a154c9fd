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
void mn_fill_attributes(const struct stat *status, struct fuse_attr *attributes_out);
void mn_fill_entry(const struct mn_node *node, const struct stat *status,
                   struct fuse_entry_out *entry_out);

#endif
