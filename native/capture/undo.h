/* What the secondary has done and this node could not (a full or broken disk): made as it is here,
 * so that the pair stays in step and the application gets its errno (design 5). */
#ifndef MN_CAPTURE_UNDO_H
#define MN_CAPTURE_UNDO_H

#include "capture/change.h"

/* All of these: under the locks of the change, 0 when the secondary has it; -EOPNOTSUPP, or -errno
 * of either node. When the connection fails the session is lost. */

/* Sends the message just encoded into the worker's connection. */
int mn_undo_send(struct mn_change *change, uint16_t code);
/* A name that is there, and not here. */
int mn_undo_name(struct mn_change *change, const struct mn_node *directory, const char *name,
                 const struct mn_id *id, bool is_directory);
/* Bytes: those within this node's file as they are here, those behind its end as a hole. Others
 * may have made the file longer meanwhile, and their bytes are not touched: so its size is not cut
 * here, but by mn_undo_size. */
int mn_undo_range(struct mn_change *change, struct mn_node *node, uint64_t offset, uint64_t size);
/* Of an object that is open here: those of `valid` (MN_SET_*), and what their change takes along.
 */
int mn_undo_attributes(struct mn_change *change, struct mn_node *node, int fd, uint32_t valid);
/* Without locks, still inside the gate: takes those of all bytes of change->resized and makes its
 * size there the one that it has here. */
int mn_undo_size(struct mn_change *change);

#endif
