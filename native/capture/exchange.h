/* What is asked of the secondary while data are copied, and what it answers. Questions are sent
 * one after the other, and their answers come in the same order. */
#ifndef MN_CAPTURE_EXCHANGE_H
#define MN_CAPTURE_EXCHANGE_H

#include <sys/stat.h>

#include "capture/copy.h"

/* Compared in the blocks that databases and file systems write, so that a changed page is all that
 * travels of its region; neighbours that differ travel together. */
enum { MN_COPY_BLOCK_BYTES = 4096 };

/* For reading. -ENOENT: it has gone here. */
int mn_copy_open(const struct mn_copy *copy, struct stat *status_out);

/* Questions. Each returns 0, or -errno of the connection. */
int mn_copy_ask_size(const struct mn_copy *copy, uint64_t size);
int mn_copy_ask_hashes(const struct mn_copy *copy, uint64_t offset, uint64_t size);
/* data NULL: a hole of hole_bytes. */
int mn_copy_send_block(const struct mn_copy *copy, uint64_t offset, uint64_t hole_bytes,
                       const uint8_t *data, size_t size);

/* Answers. -EREMOTEIO: the secondary's errno, which stands in *copied then; the connection goes
 * on. Any other -errno is of the connection. */
int mn_copy_receive_ack(struct mn_connection *connection, struct mn_copied *copied);
/* Blocks are acknowledged in one go. result: what has failed before, and stays. */
int mn_copy_receive_acks(const struct mn_copy *copy, uint32_t count, int result,
                         struct mn_copied *copied);
/* Copies the answer out: the connection's buffer is used for the blocks next. Returns the count of
 * hashes. */
int mn_copy_receive_hashes(const struct mn_copy *copy, uint8_t *hashes_out, uint32_t count_max,
                           uint64_t *their_bytes_out, struct mn_copied *copied);

/* Sends the blocks that have no equal in `theirs`, the secondary's hashes, in runs of one kind.
 * *sent: how many went out, and will be acknowledged, whatever the result. */
int mn_copy_send_different(const struct mn_copy *copy, int fd, uint64_t offset,
                           const uint8_t *data, size_t size, const uint8_t *theirs, size_t count,
                           uint32_t *sent, struct mn_copied *copied);

#endif
