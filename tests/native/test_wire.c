/* Messages and frames in C: the golden bytes of Python, and what is refused. */
#include <errno.h>

#include "check.h"
#include "golden.h"
#include "round_trip.h"
#include "wire/frame.h"

enum { BYTES_MAX = 65536 };

static uint8_t bytes[BYTES_MAX];
static uint8_t again[BYTES_MAX];

static struct mn_buffer buffer_of(size_t capacity)
{
    return (struct mn_buffer){.data = again, .capacity = capacity};
}

/* No byte less is enough, for a reader and for a writer's buffer. */
static void check_shorter(uint16_t code, size_t size)
{
    for (size_t cut = 0; cut < size; cut++) {
        struct mn_buffer out = buffer_of(BYTES_MAX);
        uint8_t *exact = malloc(cut + 1);

        CHECK(exact != NULL);
        memcpy(exact, bytes, cut);
        CHECK_INT(round_trip(code, exact, cut, &out), -EBADMSG);
        free(exact);
    }
    bytes[size] = 0;
    struct mn_buffer out = buffer_of(BYTES_MAX);

    CHECK_INT(round_trip(code, bytes, size + 1, &out), -EBADMSG);
}

static void test_golden_messages(void)
{
    FILE *file = golden_open("messages.txt");
    char *line = NULL;
    int native_count = 0;
    int python_count = 0;

    RUN("the golden bytes of every message");
    while ((line = golden_line(file)) != NULL) {
        uint16_t code = (uint16_t)strtoul(golden_word(&line), NULL, 16);
        const char *name = golden_word(&line);
        const char *golden_case = golden_word(&line);
        size_t size = golden_bytes(golden_word(&line), bytes, sizeof(bytes) - 1);
        struct mn_buffer out = buffer_of(BYTES_MAX);
        int result = round_trip(code, bytes, size, &out);

        CHECK_TEXT(mn_message_name(code), name);
        if (result == -ENOSYS) {
            python_count++;
            continue;
        }
        native_count++;
        CHECK_INT(result, 0);
        CHECK_INT(out.size, size);
        CHECK_BYTES(out.data, bytes, size);
        if (strcmp(golden_case, "typical") == 0)
            check_shorter(code, size);
    }
    CHECK(native_count >= 3 * 25);
    CHECK(python_count >= 3 * 10);
    CHECK_INT(fclose(file), 0);
}

static void test_values(void)
{
    static const uint8_t data[] = {1, 2, 3};
    struct mn_message_write message = {
        .epoch = 0x1122334455667788,
        .root = 9,
        .id = {{7, 8}},
        .offset_bytes = 8192,
        .flags = 3,
        .data = data,
        .data_size = sizeof(data),
    };
    struct mn_message_write read;
    struct mn_buffer out = buffer_of(44);

    RUN("each field of a Write, and its bytes");
    CHECK_INT(mn_encode_write(&message, &out), 0);
    CHECK_INT(out.size, 44);
    CHECK_INT(out.data[0], 0x88);
    CHECK_INT(mn_decode_write(out.data, out.size, &read), 0);
    CHECK(read.epoch == message.epoch && read.root == 9 && mn_id_equal(&read.id, &message.id));
    CHECK(read.offset_bytes == 8192 && read.flags == 3 && read.data_size == 3);
    CHECK(read.data == out.data + 41); /* borrowed, not copied */

    RUN("no room for it");
    out = buffer_of(43);
    CHECK_INT(mn_encode_write(&message, &out), -EMSGSIZE);
    CHECK_INT(out.size, 0);
    message.data_size = MN_PAYLOAD_BYTES_MAX + 1;
    out = buffer_of(BYTES_MAX);
    CHECK_INT(mn_encode_write(&message, &out), -EMSGSIZE);
}

static int decode_named(const char *name, size_t size)
{
    struct mn_message_link message = {.name = name, .name_size = (uint16_t)size};
    struct mn_message_link read;
    struct mn_buffer out = buffer_of(BYTES_MAX);
    int result = mn_encode_link(&message, &out);

    return result != 0 ? result : mn_decode_link(out.data, out.size, &read);
}

static void test_names(void)
{
    static char name[300];

    memset(name, 'x', sizeof(name));
    RUN("names that a directory may hold");
    CHECK_INT(decode_named("...", 3), 0);
    CHECK_INT(decode_named(".x", 2), 0);
    CHECK_INT(decode_named("\xff", 1), 0);
    CHECK_INT(decode_named(name, MN_NAME_BYTES_MAX), 0);
    RUN("names that could leave it");
    CHECK_INT(decode_named("", 0), -EBADMSG);
    CHECK_INT(decode_named(".", 1), -EBADMSG);
    CHECK_INT(decode_named("..", 2), -EBADMSG);
    CHECK_INT(decode_named("a/b", 3), -EBADMSG);
    CHECK_INT(decode_named("/", 1), -EBADMSG);
    CHECK_INT(decode_named("a\0b", 3), -EBADMSG);
    CHECK_INT(decode_named(name, MN_NAME_BYTES_MAX + 1), -EMSGSIZE);
}

static void test_allowed(void)
{
    RUN("each message has its lanes and side");
    CHECK_INT(mn_message_allowed(MN_MESSAGE_WRITE, MN_LANE_LIVE, 1), 1);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_WRITE, MN_LANE_CONTROL, 1), 1);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_WRITE, MN_LANE_COPY, 1), 0);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_WRITE, MN_LANE_LIVE, 0), 0);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_ACK, MN_LANE_COPY, 0), 1);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_ACK, MN_LANE_COPY, 1), 0);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_HELLO, MN_LANE_COPY, 0), 1);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_NAMES, MN_LANE_CONTROL, 0), 1);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_WRITE, MN_LANE_COUNT, 1), 0);
    CHECK_INT(mn_message_allowed(MN_MESSAGE_WRITE, 255, 1), 0);
    CHECK_INT(mn_message_allowed(0, MN_LANE_LIVE, 1), 0);
    CHECK_INT(mn_message_allowed(0x05, MN_LANE_LIVE, 1), 0);
    CHECK_INT(mn_message_allowed(0xffff, MN_LANE_LIVE, 1), 0);
    CHECK_TEXT(mn_message_name(0xffff), "unknown");
    CHECK_TEXT(mn_message_name(0), "unknown");
}

/* Reads frames until one is refused or the bytes end. "good" or the refusal. */
static const char *read_frames(uint8_t *stream, size_t size)
{
    uint64_t sequence = MN_SEQUENCE_FIRST;
    const char *refusal = NULL;
    struct mn_frame frame;

    while (size > 0) {
        CHECK(size >= MN_FRAME_HEADER_BYTES);
        if (mn_frame_read_header(stream, MN_HANDSHAKE_VERSION, sequence, &frame, &refusal) != 0)
            return refusal;
        CHECK(size >= MN_FRAME_HEADER_BYTES + (size_t)frame.size);
        if (mn_frame_check(stream, &frame, &refusal) != 0)
            return refusal;
        stream += MN_FRAME_HEADER_BYTES + (size_t)frame.size;
        size -= MN_FRAME_HEADER_BYTES + (size_t)frame.size;
        sequence++;
    }
    return "good";
}

static void test_golden_frames(void)
{
    FILE *file = golden_open("frames.txt");
    char *line = NULL;
    int count = 0;

    RUN("the golden frames, good and refused");
    while ((line = golden_line(file)) != NULL) {
        size_t size = golden_bytes(golden_word(&line), bytes, sizeof(bytes));

        CHECK_TEXT(read_frames(bytes, size), line);
        count++;
    }
    CHECK(count >= 15);
    CHECK_INT(fclose(file), 0);

    RUN("a frame that C writes is the golden one");
    file = golden_open("frames.txt");
    line = golden_line(file);
    size_t size = golden_bytes(golden_word(&line), bytes, sizeof(bytes));

    memcpy(again, bytes, size);
    memset(again, 0xee, MN_FRAME_HEADER_BYTES);
    mn_frame_seal(again, (uint32_t)(size - MN_FRAME_HEADER_BYTES), MN_MESSAGE_ACK,
                  MN_HANDSHAKE_VERSION, MN_SEQUENCE_FIRST);
    CHECK_BYTES(again, bytes, size);
    CHECK_INT(fclose(file), 0);
}

int main(void)
{
    test_golden_messages();
    test_values();
    test_names();
    test_allowed();
    test_golden_frames();
    return 0;
}
