/* The first messages of a connection: what is agreed, and every way of being refused. */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "golden.h"
#include "link/handshake.h"
#include "link_pair.h"
#include "wire/wire_messages.h"

enum { IO_TIMEOUT_MS = 180000 };

static struct link_keys keys;
static const struct mn_id session = {{0x9f, 0x3a, 0x07}};

struct offer {
    struct mn_connection *connection;
    struct mn_hello hello;
    struct mn_welcome welcome;
    struct mn_refused refused;
    int result;
    pthread_t thread;
};

static void *offer_hello(void *argument)
{
    struct offer *offer = argument;

    offer->result =
        mn_handshake_offer(offer->connection, &offer->hello, &offer->welcome, &offer->refused);
    return NULL;
}

/* Joins two nodes; n1 is about to offer what offer->hello says. */
static void prepare(struct link_pair *pair, struct offer *offer)
{
    link_pair_join(pair, keys.n1, "n2", keys.n2, "n1", IO_TIMEOUT_MS);
    CHECK_INT(pair->asking_result, 0);
    CHECK_INT(pair->answering_result, 0);
    *offer = (struct offer){.connection = pair->asking};
    CHECK_INT(mn_handshake_prepare(&offer->hello, MN_LANE_LIVE, 3, &session, "demo", "n1"), 0);
}

static void begin(struct offer *offer)
{
    CHECK_INT(pthread_create(&offer->thread, NULL, offer_hello, offer), 0);
}

static void end(struct link_pair *pair, struct offer *offer)
{
    CHECK_INT(pthread_join(offer->thread, NULL), 0);
    link_pair_part(pair);
}

static void test_negotiation(void)
{
    FILE *file = golden_open("negotiation.txt");
    char *line = NULL;
    int count = 0;

    RUN("the versions that Python agrees on");
    while ((line = golden_line(file)) != NULL) {
        uint16_t numbers[5];
        uint16_t version = 0;
        char sentence[MN_HANDSHAKE_SENTENCE_BYTES] = "-";

        for (size_t index = 0; index < 5; index++)
            numbers[index] = (uint16_t)strtoul(golden_word(&line), NULL, 10);
        struct mn_versions ours = {numbers[0], numbers[1]};
        struct mn_versions theirs = {numbers[2], numbers[3]};
        int result = mn_handshake_negotiate(ours, theirs, &version, sentence, sizeof(sentence));

        CHECK_INT(result, numbers[4] == 0 ? MN_HANDSHAKE_NO_VERSION : 0);
        CHECK_INT(version, numbers[4]);
        CHECK_TEXT(sentence, line);
        count++;
    }
    CHECK(count >= 9);
    CHECK_INT(fclose(file), 0);
}

static void test_welcome(void)
{
    struct link_pair pair;
    struct offer offer;
    struct mn_hello hello;

    RUN("an offer that is accepted");
    prepare(&pair, &offer);
    offer.hello.features = 8 | MN_FEATURES; /* 8: of a later version, so not agreed */
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), 0);
    CHECK_INT(hello.versions.newest, MN_PROTOCOL_VERSION);
    CHECK_INT(hello.lane, MN_LANE_LIVE);
    CHECK_INT(hello.lane_index, 3);
    CHECK(mn_id_equal(&hello.session, &session));
    CHECK_TEXT(hello.module, "demo");
    CHECK_TEXT(hello.node, "n1");
    CHECK_INT(mn_handshake_welcome(pair.answering, &hello, "n2"), 0);
    CHECK_INT(pthread_join(offer.thread, NULL), 0);
    CHECK_INT(offer.result, 0);
    CHECK_INT(offer.welcome.version, MN_PROTOCOL_VERSION);
    CHECK_INT(offer.welcome.features, MN_FEATURES);
    CHECK_TEXT(offer.welcome.node, "n2");

    RUN("and then the connection carries messages");
    struct mn_ack ack;

    CHECK_INT(mn_connection_send_ack(pair.answering, 0, 5), 0);
    CHECK_INT(mn_connection_receive_ack(pair.asking, &ack), 0);
    CHECK_INT(ack.result, 5);
    link_pair_part(&pair);
}

static void test_refuse(void)
{
    struct link_pair pair;
    struct offer offer;
    struct mn_hello hello;

    RUN("a session that is not agreed");
    prepare(&pair, &offer);
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), 0);
    CHECK_INT(mn_handshake_refuse(pair.answering, MN_REFUSE_SESSION, "session 9f3a is not agreed"),
              0);
    end(&pair, &offer);
    CHECK_INT(offer.result, MN_HANDSHAKE_REFUSED);
    CHECK_INT(offer.refused.code, MN_REFUSE_SESSION);
    CHECK_TEXT(offer.refused.sentence, "session 9f3a is not agreed");

    RUN("versions of which none is in common");
    prepare(&pair, &offer);
    offer.hello.versions = (struct mn_versions){MN_PROTOCOL_VERSION + 1, MN_PROTOCOL_VERSION + 2};
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), -EPROTO);
    end(&pair, &offer);
    CHECK_INT(offer.result, MN_HANDSHAKE_REFUSED);
    CHECK_INT(offer.refused.code, MN_REFUSE_VERSION);
    CHECK(strstr(offer.refused.sentence, "this node speaks 1 to 1, the other 2 to 3") != NULL);

    RUN("a node that is not the one of its certificate");
    prepare(&pair, &offer);
    offer.hello.node[1] = '7';
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), -EPROTO);
    end(&pair, &offer);
    CHECK_INT(offer.refused.code, MN_REFUSE_MODULE);

    RUN("a lane that is none");
    prepare(&pair, &offer);
    offer.hello.lane = MN_LANE_COUNT;
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), -EPROTO);
    end(&pair, &offer);
    CHECK_INT(offer.refused.code, MN_REFUSE_LANE);
}

static void test_broken(void)
{
    struct link_pair pair;
    struct offer offer;
    struct mn_hello hello;

    RUN("a first message that is no Hello");
    prepare(&pair, &offer);
    CHECK_INT(mn_connection_send_ack(pair.asking, 0, 0), 0);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), -EBADMSG);
    link_pair_part(&pair);

    RUN("a Welcome to another session");
    prepare(&pair, &offer);
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), 0);
    hello.session.bytes[15] = 1;
    CHECK_INT(mn_handshake_welcome(pair.answering, &hello, "n2"), 0);
    end(&pair, &offer);
    CHECK_INT(offer.result, -EBADMSG);

    RUN("a Welcome in another's name");
    prepare(&pair, &offer);
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), 0);
    CHECK_INT(mn_handshake_welcome(pair.answering, &hello, "n3"), 0);
    end(&pair, &offer);
    CHECK_INT(offer.result, -EBADMSG);

    RUN("an answer that is neither");
    prepare(&pair, &offer);
    begin(&offer);
    CHECK_INT(mn_handshake_receive_hello(pair.answering, &hello), 0);
    CHECK_INT(mn_connection_send_ack(pair.answering, 0, 0), 0);
    end(&pair, &offer);
    CHECK_INT(offer.result, -EBADMSG);

    RUN("names that Hello cannot hold");
    CHECK_INT(mn_handshake_prepare(&hello, MN_LANE_LIVE, 0, &session, "", "n1"), -EINVAL);
    CHECK_INT(mn_handshake_prepare(&hello, MN_LANE_COUNT, 0, &session, "demo", "n1"), -EINVAL);
}

int main(void)
{
    link_keys_make(&keys);
    test_negotiation();
    test_welcome();
    test_refuse();
    test_broken();
    link_keys_remove(&keys);
    return 0;
}
