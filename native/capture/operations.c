#include "capture/operations.h"

#include <errno.h>

#include "capture/reply.h"

enum { OPCODES_MAX = 64 };

struct operation_row {
    mn_operation *handler;
    int refusal; /* positive errno, for REFUSED */
};

#define PASSED     0
#define REPLICATED 0
#define REFUSED    1
/* Of the columns only handler and errno matter here; treatment and reason are for the reader and
 * the test. */
#define ROW(opcode, function, treatment, error, why)                                              \
    [opcode] = {.handler = function, .refusal = (treatment) * (error)},
static const struct operation_row rows[OPCODES_MAX] = {MN_OPERATIONS(ROW)};
#undef ROW

int mn_op_refused(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    mn_reply_error(worker, request, -rows[request->header->opcode].refusal);
    return 0;
}

int mn_op_ignored(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    if (request->header->opcode != FUSE_NOTIFY_REPLY)
        mn_reply_error(worker, request, 0);
    return 0;
}

void mn_worker_serve(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    uint32_t opcode = request->header->opcode;
    int result;

    __atomic_fetch_add(&worker->capture->counters.requests, 1, __ATOMIC_RELAXED);
    if (opcode >= OPCODES_MAX || rows[opcode].handler == NULL) {
        mn_reply_error(worker, request, -ENOSYS); /* newer than this table */
        return;
    }
    result = rows[opcode].handler(worker, request);
    if (result == MN_PARK)
        result =
            mn_park_add(&worker->capture->park, worker->mount, worker->fuse_fd,
                        request->header->unique, false, request->header, request->header->len);
    if (result < 0)
        mn_reply_error(worker, request, result);
}
