/* Python's door to connections and the secondary's apply. */
#include "ffi/plane.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link/handshake.h"
#include "mirror_native.h"
#include "wire/wire_messages.h"

_Static_assert(MN_HANDSHAKE_SENTENCE_BYTES == 512, "mirror_native.h promises the size");

int mnf_offer(struct mn_connection *connection, uint8_t lane, uint8_t lane_index,
              const uint8_t *session, const char *module, const char *node, uint64_t *features_out,
              char *sentence_out)
{
    struct mn_hello hello;
    struct mn_welcome welcome = {0};
    struct mn_refused refused;
    struct mn_id id;
    int result;

    memcpy(id.bytes, session, MN_ID_BYTES);
    result = mn_handshake_prepare(&hello, lane, lane_index, &id, module, node);
    if (result == 0)
        result = mn_handshake_offer(connection, &hello, &welcome, &refused);
    if (result == MN_HANDSHAKE_REFUSED)
        snprintf(sentence_out, MN_HANDSHAKE_SENTENCE_BYTES, "%s", refused.sentence);
    *features_out = welcome.features;
    return result;
}

/* Between the two calls of one thread the Hello is kept here. */
static _Thread_local struct mn_hello last_hello;

int mnf_receive_hello(struct mn_connection *connection, uint8_t *lane_out, uint8_t *lane_index_out,
                      uint8_t *session_out, char *module_out, char *node_out)
{
    int result = mn_handshake_receive_hello(connection, &last_hello);

    if (result != 0)
        return result;
    *lane_out = last_hello.lane;
    *lane_index_out = last_hello.lane_index;
    memcpy(session_out, last_hello.session.bytes, MN_ID_BYTES);
    memcpy(module_out, last_hello.module, sizeof(last_hello.module));
    memcpy(node_out, last_hello.node, sizeof(last_hello.node));
    return 0;
}

int mnf_answer_hello(struct mn_connection *connection, const char *node, uint16_t refuse_code,
                     const char *sentence)
{
    if (refuse_code != 0)
        return mn_handshake_refuse(connection, refuse_code, sentence);
    return mn_handshake_welcome(connection, &last_hello, node);
}

int mnf_send(struct mn_connection *connection, uint16_t code, const uint8_t *payload, size_t size)
{
    struct mn_buffer *out = mn_connection_begin(connection);

    if (mn_buffer_room(out) < size)
        return -EMSGSIZE;
    memcpy(mn_buffer_extend(out, size), payload, size);
    return mn_connection_send(connection, code);
}

int mnf_receive(struct mn_connection *connection, int idle, uint16_t *code_out,
                const uint8_t **payload_out, size_t *size_out)
{
    return mn_connection_receive(connection, idle, code_out, payload_out, size_out);
}

int mnf_apply_begin(struct mn_plane *plane)
{
    if (plane->apply == NULL) {
        int result =
            mn_apply_create(plane->roots, plane->root_count, plane->recent, &plane->apply);

        if (result != 0)
            return result;
    }
    return mn_apply_session_begin(plane->apply);
}

int mnf_apply_serve(struct mn_plane *plane, struct mn_connection *connection, uint8_t lane,
                    uint16_t *code_out, const uint8_t **payload_out, size_t *size_out)
{
    return mn_apply_serve(plane->apply, connection, lane, code_out, payload_out, size_out);
}

int mnf_apply_learn(struct mn_plane *plane, int root, const uint8_t *id, const uint8_t *handle,
                    const uint8_t *parent, const char *name)
{
    struct mn_handle handle_value;
    struct mn_id id_value, parent_value;

    memcpy(&handle_value, handle, sizeof(handle_value));
    memcpy(id_value.bytes, id, MN_ID_BYTES);
    memcpy(parent_value.bytes, parent, MN_ID_BYTES);
    return mn_apply_learn(plane->apply, (uint8_t)root, &id_value, &handle_value, &parent_value,
                          name, (uint16_t)strlen(name));
}

int mnf_apply_find(struct mn_plane *plane, int root, const uint8_t *id, uint8_t *handle_out)
{
    struct mn_handle handle = {0};
    struct mn_id id_value;
    int result;

    memcpy(id_value.bytes, id, MN_ID_BYTES);
    result = mn_apply_find(plane->apply, (uint8_t)root, &id_value, &handle);
    memcpy(handle_out, &handle, sizeof(handle));
    return result;
}

uint64_t mnf_apply_operations(struct mn_plane *plane)
{
    return plane->apply == NULL ? 0 : mn_apply_operation_count(plane->apply);
}

void mnf_apply_in_step(struct mn_plane *plane)
{
    mn_apply_in_step(plane->apply);
}

int mnf_apply_unsynced(struct mn_plane *plane)
{
    return plane->apply == NULL ? 0 : mn_apply_unsynced(plane->apply);
}

uint64_t mnf_apply_pings(struct mn_plane *plane)
{
    return plane->apply == NULL ? 0 : mn_apply_ping_count(plane->apply);
}
