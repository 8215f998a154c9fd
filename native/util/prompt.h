/* A thread that somebody waits for gets its turn soon after it wakes, on a host whose processors
 * are busy. A replicated change wakes threads of both nodes some twenty times; each time an
 * ordinary one may wait for the slices of whoever runs, milliseconds. */
#ifndef MN_UTIL_PROMPT_H
#define MN_UTIL_PROMPT_H

enum {
    MN_PROMPT_NICE = -15,
    /* Its turns are short, so they come early (EEVDF: from Linux 6.12 on a thread may say so). */
    MN_PROMPT_SLICE_NS = 100000,
};

/* The calling thread, and what it creates. Left alone: a thread of another class, or of a lower
 * nice value; and any, without CAP_SYS_NICE. Nothing depends on it. */
void mn_thread_be_prompt(void);

#endif
