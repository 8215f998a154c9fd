/* Threads that note at once, while bursts begin and end. */
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "scratch.h"
#include "util/awake.h"

enum { THREADS = 4, NOTES = 20000 };

static void *note(void *argument)
{
    for (int i = 0; i < NOTES; i++)
        mn_awake_note(argument);
    return NULL;
}

int main(void)
{
    char scratch[SCRATCH_PATH_BYTES], driver[SCRATCH_PATH_BYTES + 8];
    struct mn_awake awake;
    pthread_t threads[THREADS];
    int fd;

    RUN("threads that note at once");
    if (!scratch_make(scratch))
        return 0;
    (void)snprintf(driver, sizeof(driver), "%s/driver", scratch);
    fd = open(driver, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(write(fd, "haltpoll\n", 9), 9);
    close(fd);
    mn_awake_init(&awake, "/dev/null", driver);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, note, &awake), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(awake.count, THREADS * NOTES);
    mn_awake_deinit(&awake);
    scratch_remove(scratch);
    return 0;
}
