/* Processors that do not sleep while requests follow each other closely. A processor that has
 * nothing to do sleeps, and takes 40 us (a halted one of a virtual machine) to 100 us and more (a
 * deep state of a real one) to wake up: longer than a request takes, and an application with one
 * thread hands each of its requests from one processor to another and back.
 *
 * So the kernel is asked, by its quality of service for the latency of processors
 * (Documentation/power/pm_qos_interface.rst), for a state that is left at once, from the moment
 * requests come in a burst until the burst is over. A host with nothing to do sleeps as before. */
#ifndef MN_UTIL_AWAKE_H
#define MN_UTIL_AWAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MN_AWAKE_DEVICE "/dev/cpu_dma_latency"
#define MN_AWAKE_DRIVER "/sys/devices/system/cpu/cpuidle/current_driver"

enum {
    MN_AWAKE_NOTES = 16,         /* so many notes ... */
    MN_AWAKE_BURST_NS = 4000000, /* ... within this time are a burst */
    MN_AWAKE_TICK_MS = 2,        /* it is over when MN_AWAKE_QUIET_TICKS in a row had less than */
    MN_AWAKE_TICK_NOTES = 4,     /* so many notes each */
    MN_AWAKE_QUIET_TICKS = 4,
};

struct mn_awake {
    int device_fd;      /* -1: nothing can be asked for; a note is then of no effect */
    int32_t latency_us; /* what is asked for in a burst */
    bool has_watch;
    pthread_t watch;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_ended;      /* guarded by mutex */
    bool is_burst;      /* changed under mutex; read by anybody */
    uint32_t count;     /* notes; atomic, wraps */
    uint64_t before_ns; /* when MN_AWAKE_NOTES of them were full last; atomic */
};

/* device, driver: MN_AWAKE_DEVICE and MN_AWAKE_DRIVER, but in tests. Where either is missing, or
 * the system gives no thread, notes are of no effect: nothing depends on it. */
void mn_awake_init(struct mn_awake *awake, const char *device, const char *driver);
/* Nobody notes any more. What was asked for is taken back. */
void mn_awake_deinit(struct mn_awake *awake);
/* A request has come. Any thread; some nanoseconds. */
void mn_awake_note(struct mn_awake *awake);

#endif
