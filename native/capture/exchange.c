#include "capture/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash/hash.h"
#include "wire/wire_messages.h"

enum { SEND_BYTES_MAX = 4 * MN_REGION_BYTES };

static int refused(struct mn_copied *copied, int32_t error)
{
    copied->remote_error = error;
    return -EREMOTEIO;
}

int mn_copy_receive_ack(struct mn_connection *connection, struct mn_copied *copied)
{
    struct mn_ack ack;
    int result = mn_connection_receive_ack(connection, &ack);

    return result != 0 ? result : ack.error != 0 ? refused(copied, ack.error) : 0;
}

int mn_copy_open(const struct mn_copy *copy, struct stat *status_out)
{
    int fd = mn_lower_open(copy->root, &copy->handle, O_RDONLY | O_NOATIME);

    if (fd < 0)
        return fd == -ESTALE ? -ENOENT : fd;
    if (fstat(fd, status_out) != 0 || status_out->st_nlink == 0) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

int mn_copy_ask_size(const struct mn_copy *copy, uint64_t size)
{
    struct mn_message_set_attributes message = {.root = (uint8_t)copy->root->index,
                                                .id = copy->id,
                                                .valid = MN_SET_SIZE,
                                                .size_bytes = size};
    int result = mn_encode_set_attributes(&message, mn_connection_begin(copy->connection));

    return result != 0 ? result : mn_connection_send(copy->connection, MN_MESSAGE_SET_ATTRIBUTES);
}

int mn_copy_ask_hashes(const struct mn_copy *copy, uint64_t offset, uint64_t size)
{
    struct mn_message_hash_range message = {.root = (uint8_t)copy->root->index,
                                            .id = copy->id,
                                            .offset_bytes = offset,
                                            .size_bytes = size,
                                            .block_bytes = MN_COPY_BLOCK_BYTES};
    int result = mn_encode_hash_range(&message, mn_connection_begin(copy->connection));

    return result != 0 ? result : mn_connection_send(copy->connection, MN_MESSAGE_HASH_RANGE);
}

int mn_copy_receive_hashes(const struct mn_copy *copy, uint8_t *hashes_out, uint32_t count_max,
                           uint64_t *their_bytes_out, struct mn_copied *copied)
{
    struct mn_message_hashes message;
    const uint8_t *payload;
    uint16_t code;
    size_t size;
    int result = mn_connection_receive(copy->connection, 0, &code, &payload, &size);

    if (result != 0)
        return result;
    if (code != MN_MESSAGE_HASHES || mn_decode_hashes(payload, size, &message) != 0)
        return -EPROTO;
    if (message.error != 0)
        return refused(copied, message.error);
    if (message.hashes_size > count_max * MN_HASH_BYTES)
        return -EPROTO;
    memcpy(hashes_out, message.hashes, message.hashes_size);
    *their_bytes_out = message.size_bytes;
    return (int)(message.hashes_size / MN_HASH_BYTES);
}

int mn_copy_send_block(const struct mn_copy *copy, uint64_t offset, uint64_t hole_bytes,
                       const uint8_t *data, size_t size)
{
    struct mn_message_copy_block message = {.root = (uint8_t)copy->root->index,
                                            .id = copy->id,
                                            .offset_bytes = offset,
                                            .hole_bytes = hole_bytes,
                                            .data = data,
                                            .data_size = (uint32_t)size};
    int result = mn_encode_copy_block(&message, mn_connection_begin(copy->connection));

    return result != 0 ? result : mn_connection_send(copy->connection, MN_MESSAGE_COPY_BLOCK);
}

int mn_copy_receive_acks(const struct mn_copy *copy, uint32_t count, int result,
                         struct mn_copied *copied)
{
    for (; count > 0; count--) {
        int ack = mn_copy_receive_ack(copy->connection, copied);

        result = result == 0 ? ack : result;
        if (ack != 0 && ack != -EREMOTEIO)
            break;
    }
    return result;
}

enum block_state { EQUAL, OTHER_DATA, SHOULD_BE_HOLE };

/* theirs: the target's hash of the block, or NULL. What is only reserved here is made a hole there
 * in any case: that its block has no hash says only that there is a hole somewhere in it. */
static enum block_state compare_block(int fd, const uint8_t *data, size_t size, uint64_t offset,
                                      const uint8_t *theirs)
{
    static const uint8_t none[MN_HASH_BYTES];
    uint8_t ours[MN_HASH_BYTES];

    if (mn_lower_is_reserved(fd, data, size, offset))
        return SHOULD_BE_HOLE;
    if (theirs == NULL || memcmp(theirs, none, MN_HASH_BYTES) == 0)
        return OTHER_DATA;
    mn_hash_block(data, size, ours);
    return memcmp(theirs, ours, MN_HASH_BYTES) == 0 ? EQUAL : OTHER_DATA;
}

/* A run is of at most SEND_BYTES_MAX. */
int mn_copy_send_different(const struct mn_copy *copy, int fd, uint64_t offset,
                           const uint8_t *data, size_t size, const uint8_t *theirs, size_t count,
                           uint32_t *sent, struct mn_copied *copied)
{
    size_t start = 0; /* of the run; what lies before it is equal or sent */
    enum block_state kind = EQUAL;

    for (size_t at = 0; at <= size;) {
        size_t index = at / MN_COPY_BLOCK_BYTES;
        size_t end = size - at < MN_COPY_BLOCK_BYTES ? size : at + MN_COPY_BLOCK_BYTES;
        enum block_state next = EQUAL; /* behind the last block */

        if (at < size)
            next = compare_block(fd, data + at, end - at, offset + at,
                                 index < count ? theirs + index * MN_HASH_BYTES : NULL);
        if (next != kind || at - start >= SEND_BYTES_MAX) {
            bool is_hole = kind == SHOULD_BE_HOLE;

            if (kind != EQUAL) {
                int result =
                    mn_copy_send_block(copy, offset + start, is_hole ? at - start : 0,
                                       is_hole ? NULL : data + start, is_hole ? 0 : at - start);
                if (result != 0)
                    return result;
                ++*sent;
                if (is_hole)
                    copied->hole_bytes += at - start;
                else
                    copied->copied_bytes += at - start;
            }
            start = at;
            kind = next;
        }
        at = at < size ? end : size + 1;
    }
    return 0;
}
