#include "util/prompt.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel's struct sched_attr (include/uapi/linux/sched/types.h, SCHED_ATTR_SIZE_VER0);
 * glibc has it from 2.41 on. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

void mn_thread_be_prompt(void)
{
    struct attributes wanted = {.size = sizeof(wanted),
                                .policy = SCHED_OTHER,
                                .nice = MN_PROMPT_NICE,
                                .runtime_ns = MN_PROMPT_SLICE_NS};
    int nice;

    errno = 0;
    nice = getpriority(PRIO_PROCESS, 0);
    if (errno != 0 || nice <= MN_PROMPT_NICE || sched_getscheduler(0) != SCHED_OTHER)
        return;
    (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}
