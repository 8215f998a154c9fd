/* Processors are kept awake in a burst of requests and in nothing else. A file stands for the
 * device: what is asked for is appended to it, one int32_t after the other. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "scratch.h"
#include "util/awake.h"

enum { NOTHING = 2000000000, LOOKS_MAX = 60000, ASKED_MAX = 64 };

static char scratch[SCRATCH_PATH_BYTES], device[SCRATCH_PATH_BYTES + 8],
    driver[SCRATCH_PATH_BYTES + 8];
static int32_t asked[ASKED_MAX];

static void write_driver(const char *line)
{
    int fd = open(driver, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK_INT(write(fd, line, strlen(line)), strlen(line));
    close(fd);
}

static size_t asked_count(void)
{
    int fd = open(device, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, asked, sizeof(asked));

    CHECK(got >= 0);
    close(fd);
    return (size_t)got / sizeof(asked[0]);
}

static void pause_us(long us)
{
    struct timespec time = {.tv_nsec = us * 1000};

    (void)nanosleep(&time, NULL);
}

static void burst(struct mn_awake *awake)
{
    for (int i = 0; i < 2 * MN_AWAKE_NOTES; i++)
        mn_awake_note(awake);
}

static void await_asked(struct mn_awake *awake, size_t count)
{
    for (int i = 0; i < LOOKS_MAX && asked_count() < count; i++) {
        if (awake != NULL) /* a thread that was held up between two notes made no burst of them */
            burst(awake);
        pause_us(1000);
    }
    CHECK(asked_count() >= count);
}

static void check_burst(const char *line, int32_t latency_us)
{
    struct mn_awake awake;

    write_driver(line);
    CHECK_INT(truncate(device, 0), 0);
    mn_awake_init(&awake, device, driver);
    await_asked(&awake, 1);
    await_asked(NULL, 2);
    CHECK_INT(asked[0], latency_us);
    CHECK_INT(asked[1], NOTHING);
    await_asked(&awake, 3); /* the next burst */
    CHECK_INT(asked[2], latency_us);
    mn_awake_deinit(&awake);
    CHECK_INT(asked[asked_count() - 1], NOTHING);
}

static void check_silence(const char *line, const char *path)
{
    struct mn_awake awake;

    write_driver(line);
    CHECK_INT(truncate(device, 0), 0);
    mn_awake_init(&awake, path, driver);
    CHECK(!awake.has_watch);
    burst(&awake);
    mn_awake_deinit(&awake);
    CHECK_INT(asked_count(), 0);
}

int main(void)
{
    struct mn_awake awake;
    int fd;

    if (!scratch_make(scratch))
        return 0;
    (void)snprintf(device, sizeof(device), "%s/device", scratch);
    (void)snprintf(driver, sizeof(driver), "%s/driver", scratch);
    fd = open(device, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);

    RUN("a guest that halts is asked to look again and again, and asked no more afterwards");
    check_burst("haltpoll\n", 0);

    RUN("a host of its own is asked to leave out its deep states");
    check_burst("intel_idle\n", 10);

    RUN("nobody chooses between states");
    check_silence("none\n", device);
    CHECK_INT(unlink(driver), 0);
    mn_awake_init(&awake, device, driver);
    CHECK(!awake.has_watch);
    mn_awake_deinit(&awake);

    RUN("the device is missing");
    check_silence("haltpoll\n", "/dev/null/none");

    RUN("requests one by one are no burst");
    write_driver("haltpoll\n");
    mn_awake_init(&awake, device, driver);
    for (int i = 0; i < 3 * MN_AWAKE_NOTES; i++) {
        mn_awake_note(&awake);
        pause_us(500); /* and more: the shortest that sixteen take is twice a burst */
    }
    mn_awake_deinit(&awake);
    CHECK_INT(asked_count(), 0);
    scratch_remove(scratch);
    return 0;
}
