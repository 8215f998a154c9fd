/* Shared by capture.c, worker.c and checkpoint.c only. */
#ifndef MN_CAPTURE_CAPTURE_PRIVATE_H
#define MN_CAPTURE_CAPTURE_PRIVATE_H

#include "capture/capture.h"

void *mn_worker_run(void *argument);
/* Of a worker's connection: it waits for an answer. */
void mn_worker_waits(void *argument, bool sleeps);
void *mn_runner_run(void *argument);
/* A reply whose change is done: sent once this node goes on; ESTALE when it must not. */
void mn_runner_reply(struct mn_worker *runner, const struct mn_parked *parked);
void mn_worker_forget_directory(struct mn_worker *worker);

#endif
