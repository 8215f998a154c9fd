/* See handshake.h. */
#include "link/handshake.h"

#include <errno.h>
#include <stdio.h>

#include "wire/frame.h"

static const struct mn_versions OURS = {MN_PROTOCOL_VERSION_OLDEST, MN_PROTOCOL_VERSION};

int mn_handshake_negotiate(struct mn_versions ours, struct mn_versions theirs,
                           uint16_t *version_out, char *sentence_out, size_t sentence_size)
{
    uint16_t newest = ours.newest < theirs.newest ? ours.newest : theirs.newest;
    uint16_t oldest = ours.oldest > theirs.oldest ? ours.oldest : theirs.oldest;

    if (theirs.oldest > theirs.newest || newest < oldest) {
        (void)snprintf(sentence_out, sentence_size,
                       "no protocol version in common: this node speaks %u to %u, the other %u "
                       "to %u; upgrade the older node",
                       ours.oldest, ours.newest, theirs.oldest, theirs.newest);
        return MN_HANDSHAKE_NO_VERSION;
    }
    *version_out = newest;
    return 0;
}

/* A text of a message into a string of MN_HANDSHAKE_TEXT_BYTES. */
static int copy_text(char *to, const char *from, size_t size)
{
    if (size == 0 || size >= MN_HANDSHAKE_TEXT_BYTES)
        return -EBADMSG;
    memcpy(to, from, size);
    to[size] = '\0';
    return 0;
}

int mn_handshake_prepare(struct mn_hello *hello, uint8_t lane, uint8_t lane_index,
                         const struct mn_id *session, const char *module, const char *node)
{
    *hello = (struct mn_hello){
        .versions = OURS,
        .lane = lane,
        .lane_index = lane_index,
        .session = *session,
        .features = MN_FEATURES,
    };
    if (lane >= MN_LANE_COUNT || copy_text(hello->module, module, strlen(module)) != 0 ||
        copy_text(hello->node, node, strlen(node)) != 0)
        return -EINVAL;
    return 0;
}

static int send_hello(struct mn_connection *connection, const struct mn_hello *hello)
{
    struct mn_message_hello message = {
        .version_oldest = hello->versions.oldest,
        .version_newest = hello->versions.newest,
        .lane = hello->lane,
        .lane_index = hello->lane_index,
        .session = hello->session,
        .features = hello->features,
        .module = hello->module,
        .module_size = (uint16_t)strlen(hello->module),
        .node = hello->node,
        .node_size = (uint16_t)strlen(hello->node),
    };
    int result = mn_encode_hello(&message, mn_connection_begin(connection));

    return result != 0 ? result : mn_connection_send(connection, MN_MESSAGE_HELLO);
}

static int read_welcome(struct mn_connection *connection, const struct mn_hello *hello,
                        const uint8_t *payload, size_t size, struct mn_welcome *welcome_out)
{
    struct mn_message_welcome message;

    *welcome_out = (struct mn_welcome){0};
    if (mn_decode_welcome(payload, size, &message) != 0 ||
        !mn_id_equal(&message.session, &hello->session) ||
        message.version < hello->versions.oldest || message.version > hello->versions.newest ||
        (message.features & ~hello->features) != 0 ||
        copy_text(welcome_out->node, message.node, message.node_size) != 0 ||
        strcmp(welcome_out->node, mn_connection_peer_name(connection)) != 0)
        return -EBADMSG;
    welcome_out->version = message.version;
    welcome_out->features = message.features;
    mn_connection_set_version(connection, message.version);
    mn_connection_set_features(connection, message.features);
    return 0;
}

static int read_refuse(const uint8_t *payload, size_t size, struct mn_refused *refused_out)
{
    struct mn_message_refuse message;

    *refused_out = (struct mn_refused){0};
    if (mn_decode_refuse(payload, size, &message) != 0)
        return -EBADMSG;
    refused_out->code = message.code;
    (void)snprintf(refused_out->sentence, sizeof(refused_out->sentence), "%.*s",
                   (int)message.sentence_size, message.sentence);
    return MN_HANDSHAKE_REFUSED;
}

int mn_handshake_offer(struct mn_connection *connection, const struct mn_hello *hello,
                       struct mn_welcome *welcome_out, struct mn_refused *refused_out)
{
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;
    int result = send_hello(connection, hello);

    if (result == 0)
        result = mn_connection_receive(connection, 0, &code, &payload, &size);
    if (result != 0)
        return result;
    switch (code) {
    case MN_MESSAGE_WELCOME: return read_welcome(connection, hello, payload, size, welcome_out);
    case MN_MESSAGE_REFUSE: return read_refuse(payload, size, refused_out);
    default: return -EBADMSG;
    }
}

static int refuse_hello(struct mn_connection *connection, uint16_t code, const char *sentence)
{
    int result = mn_handshake_refuse(connection, code, sentence);

    return result != 0 ? result : -EPROTO;
}

int mn_handshake_receive_hello(struct mn_connection *connection, struct mn_hello *hello_out)
{
    struct mn_message_hello message;
    char sentence[MN_HANDSHAKE_SENTENCE_BYTES];
    const uint8_t *payload = NULL;
    uint16_t version = 0;
    uint16_t code = 0;
    size_t size = 0;
    int result = mn_connection_receive(connection, 0, &code, &payload, &size);

    if (result != 0)
        return result;
    if (code != MN_MESSAGE_HELLO || mn_decode_hello(payload, size, &message) != 0)
        return -EBADMSG;
    *hello_out = (struct mn_hello){
        .versions = {message.version_oldest, message.version_newest},
        .lane = message.lane,
        .lane_index = message.lane_index,
        .session = message.session,
        .features = message.features,
    };
    if (copy_text(hello_out->module, message.module, message.module_size) != 0 ||
        copy_text(hello_out->node, message.node, message.node_size) != 0)
        return -EBADMSG;
    if (strcmp(hello_out->node, mn_connection_peer_name(connection)) != 0)
        return refuse_hello(connection, MN_REFUSE_MODULE,
                            "the node in Hello is not the one of the certificate; check the names "
                            "in cluster.xml");
    if (mn_handshake_negotiate(OURS, hello_out->versions, &version, sentence, sizeof(sentence)) !=
        0)
        return refuse_hello(connection, MN_REFUSE_VERSION, sentence);
    if (hello_out->lane >= MN_LANE_COUNT)
        return refuse_hello(connection, MN_REFUSE_LANE, "no such lane");
    return 0;
}

int mn_handshake_welcome(struct mn_connection *connection, const struct mn_hello *hello,
                         const char *node)
{
    struct mn_message_welcome message = {
        .session = hello->session,
        .features = hello->features & MN_FEATURES,
        .node = node,
        .node_size = (uint16_t)strlen(node),
    };
    char sentence[MN_HANDSHAKE_SENTENCE_BYTES];
    int result = mn_handshake_negotiate(OURS, hello->versions, &message.version, sentence,
                                        sizeof(sentence));

    if (result == MN_HANDSHAKE_NO_VERSION)
        return -EPROTO; /* receive_hello has refused it */
    result = mn_encode_welcome(&message, mn_connection_begin(connection));
    if (result == 0)
        result = mn_connection_send(connection, MN_MESSAGE_WELCOME);
    if (result == 0)
        mn_connection_set_version(connection, message.version);
    return result;
}

int mn_handshake_refuse(struct mn_connection *connection, uint16_t code, const char *sentence)
{
    struct mn_message_refuse message = {
        .code = code,
        .sentence = sentence,
        .sentence_size = (uint16_t)strnlen(sentence, MN_TEXT_BYTES_MAX),
    };
    int result = mn_encode_refuse(&message, mn_connection_begin(connection));

    return result != 0 ? result : mn_connection_send(connection, MN_MESSAGE_REFUSE);
}
