/* A page of a mapped file that its disk does not give, once it is mapped: no errno, a signal. */
#ifndef MN_UTIL_BUS_ERROR_H
#define MN_UTIL_BUS_ERROR_H

/* From now on SIGBUS is told in one sentence on stderr, and then ends the process as ever: nothing
 * that it would still do is known to be right. 0 or -errno. */
int mn_bus_error_tell(void);

#endif
