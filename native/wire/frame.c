/* See frame.h. */
#include "wire/frame.h"

#include "hash/hash.h"

enum {
    OFFSET_MAGIC = 0,
    OFFSET_SIZE = 4,
    OFFSET_CODE = 8,
    OFFSET_VERSION = 10,
    OFFSET_RESERVED = 12,
    OFFSET_SEQUENCE = 16,
    OFFSET_CHECKSUM = 24,
};
_Static_assert(OFFSET_CHECKSUM + sizeof(uint64_t) == MN_FRAME_HEADER_BYTES, "no byte is unused");

static const uint8_t magic[4] = {'M', 'N', 'F', '1'};

void mn_frame_seal(uint8_t *frame, uint32_t payload_size, uint16_t code, uint16_t version,
                   uint64_t sequence)
{
    assert(payload_size <= MN_PAYLOAD_BYTES_MAX);
    memcpy(frame + OFFSET_MAGIC, magic, sizeof(magic));
    mn_store_u32(frame + OFFSET_SIZE, payload_size);
    mn_store_u16(frame + OFFSET_CODE, code);
    mn_store_u16(frame + OFFSET_VERSION, version);
    mn_store_u32(frame + OFFSET_RESERVED, 0);
    mn_store_u64(frame + OFFSET_SEQUENCE, sequence);
    mn_store_u64(frame + OFFSET_CHECKSUM, 0);
    mn_store_u64(frame + OFFSET_CHECKSUM, mn_hash_64(frame, MN_FRAME_HEADER_BYTES + payload_size));
}

int mn_frame_read_header(const uint8_t *header, uint16_t version, uint64_t sequence,
                         struct mn_frame *frame_out, const char **refusal_out)
{
    const char *refusal = NULL;

    *frame_out = (struct mn_frame){
        .size = mn_load_u32(header + OFFSET_SIZE),
        .code = mn_load_u16(header + OFFSET_CODE),
        .version = mn_load_u16(header + OFFSET_VERSION),
        .sequence = mn_load_u64(header + OFFSET_SEQUENCE),
        .checksum = mn_load_u64(header + OFFSET_CHECKSUM),
    };
    if (memcmp(header + OFFSET_MAGIC, magic, sizeof(magic)) != 0)
        refusal = "magic is not MNF1";
    else if (frame_out->version != version)
        refusal = "version is not the one agreed";
    else if (mn_load_u32(header + OFFSET_RESERVED) != 0)
        refusal = "reserved field is not 0";
    else if (frame_out->sequence != sequence)
        refusal = "sequence is not the next one";
    else if (frame_out->size > MN_PAYLOAD_BYTES_MAX)
        refusal = "size is above the maximum";
    *refusal_out = refusal;
    return refusal ? -EBADMSG : 0;
}

int mn_frame_check(uint8_t *frame, const struct mn_frame *header, const char **refusal_out)
{
    mn_store_u64(frame + OFFSET_CHECKSUM, 0);
    if (mn_hash_64(frame, MN_FRAME_HEADER_BYTES + (size_t)header->size) != header->checksum) {
        *refusal_out = "checksum does not match";
        return -EBADMSG;
    }
    *refusal_out = NULL;
    return 0;
}
