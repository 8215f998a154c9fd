/* Worker threads: one reads requests from one descriptor of /dev/fuse and serves them; the runner
 * serves parked ones. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/caller.h"
#include "capture/capture_private.h"
#include "util/prompt.h"

struct mn_worker *mn_worker_create(struct mn_capture *capture, struct mn_mount *mount, int fuse_fd)
{
    struct mn_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        return NULL;
    worker->capture = capture;
    worker->mount = mount;
    worker->fuse_fd = fuse_fd;
    worker->directory_fd = -1;
    worker->takes_turns = mount != NULL;
    mn_turn_init(&worker->turn);
    worker->request_buffer = aligned_alloc(4096, (MN_FUSE_BUFFER_BYTES + 4095) & ~4095UL);
    worker->reply_buffer = aligned_alloc(4096, MN_FUSE_DATA_BYTES_MAX);
    if (worker->request_buffer == NULL || worker->reply_buffer == NULL) {
        mn_worker_destroy(worker);
        return NULL;
    }
    return worker;
}

void mn_worker_forget_directory(struct mn_worker *worker)
{
    if (worker->directory_fd >= 0)
        close(worker->directory_fd);
    worker->directory_fd = -1;
}

void mn_worker_destroy(struct mn_worker *worker)
{
    if (worker == NULL)
        return;
    mn_worker_forget_directory(worker);
    mn_turn_deinit(&worker->turn);
    free(worker->request_buffer);
    free(worker->reply_buffer);
    free(worker);
}

static void prepare_thread(void)
{
    sigset_t all;

    sigfillset(&all); /* signals are for Python's main thread */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    (void)mn_lower_thread_init();
}

void mn_worker_relieve(struct mn_worker *worker)
{
    if (worker->takes_turns)
        mn_turns_relieve(&worker->mount->turns);
}

void mn_worker_waits(void *argument, bool sleeps)
{
    struct mn_worker *worker = argument;

    if (worker->takes_turns && !mn_turns_are_covered(&worker->mount->turns) &&
        (sleeps || mn_fuse_has_request(worker->fuse_fd)))
        mn_turns_relieve(&worker->mount->turns);
}

void *mn_worker_run(void *argument)
{
    struct mn_worker *worker = argument;
    struct mn_turns *turns = &worker->mount->turns;

    prepare_thread();
    mn_thread_be_prompt(); /* the application waits for it */
    for (;;) {
        struct mn_fuse_request request;
        int result;

        /* Who was called may not run yet, while this worker does. */
        mn_turns_listen(turns, &worker->turn,
                        mn_turns_are_covered(turns) && mn_fuse_has_request(worker->fuse_fd));
        result =
            mn_fuse_read(worker->fuse_fd, worker->request_buffer, MN_FUSE_BUFFER_BYTES, &request);
        mn_turns_taken(turns);
        if (result == MN_FUSE_AGAIN)
            continue;
        if (result != 0) {
            mn_turns_end(turns);
            mn_capture_event(worker->capture, MN_EVENT_UNMOUNTED, result < 0 ? result : 0,
                             (uint64_t)worker->mount->root->index,
                             "the kernel ended the session of a mount");
            return NULL;
        }
        mn_awake_note(&worker->capture->awake);
        mn_worker_waits(worker, false); /* an application with several threads */
        mn_worker_serve(worker, &request);
    }
}

/* As a local disk: what waits ends with its process, and no other signal ends it (a write to a
 * regular file answers no EINTR). */
static bool is_given_up(const struct mn_parked *parked)
{
    struct mn_fuse_request request;

    return mn_fuse_parse(parked->bytes, parked->size, &request) == 0 &&
           mn_caller_is_killed(request.header->pid);
}

void *mn_runner_run(void *argument)
{
    struct mn_worker *runner = argument;
    struct mn_park *park = &runner->capture->park;
    struct mn_parked *parked;

    prepare_thread();
    while ((parked = mn_park_next(park, is_given_up)) != NULL) {
        struct mn_fuse_request request;

        runner->mount = parked->mount;
        runner->fuse_fd = parked->fuse_fd;
        if (parked->is_orphan) {
            /* Nobody reads its answer. */
        } else if (parked->is_given_up)
            (void)mn_fuse_reply(parked->fuse_fd, parked->unique, -EINTR, NULL, 0);
        else if (parked->reply)
            mn_runner_reply(runner, parked);
        else if (mn_fuse_parse(parked->bytes, parked->size, &request) == 0)
            mn_worker_serve(runner, &request); /* may park it again, behind the others */
        mn_worker_forget_directory(runner);
        free(parked);
    }
    return NULL;
}
