/* Who waits for a request: the thread that the kernel names in its header. */
#ifndef MN_CAPTURE_CALLER_H
#define MN_CAPTURE_CALLER_H

#include <stdbool.h>
#include <stdint.h>

/* Whether this thread is to die by SIGKILL: it will never see an answer. thread: as in the header
 * of its request, which has no answer yet (so the number is not another's); 0: the kernel itself,
 * or a thread of a foreign pid namespace. False whenever it cannot be known. */
bool mn_caller_is_killed(uint32_t thread);

#endif
