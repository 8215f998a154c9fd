/*
 * Loads for the benchmarks: the same system calls against any path, each one timed.
 *
 *     load write PATH COUNT SIZE THREADS none|fsync|fdatasync
 *     load read  PATH COUNT SIZE THREADS none
 *
 * Each thread has a file of its own, PATH.0, PATH.1, ... (the kernel lets one write at a time into
 * a file), of FILE_BYTES, that was written before, and goes through it in order, COUNT times, over
 * and over. Prints one line of JSON: microseconds of a call (with its sync), calls a second.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_BYTES = 8 << 20,
    SIZE_MAX_BYTES = 1 << 20,
    PATH_BYTES = 4096,
    THREADS_MAX = 64,
    COUNT_MAX = 4000000,
};

struct load {
    const char *path;
    uint32_t count; /* of one thread */
    uint32_t size;
    uint32_t thread_count;
    int (*sync)(int fd);
    int is_read;
};

struct part {
    const struct load *load;
    uint32_t number;
    double *took_us; /* load->count of them */
    pthread_t thread;
};

static _Noreturn void give_up(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int open_file(const struct load *load, uint32_t number)
{
    char path[PATH_BYTES];
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s.%u", load->path, number);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        give_up(path);
    return fd;
}

static void one_call(const struct load *load, int fd, uint8_t *buffer, off_t at)
{
    ssize_t done =
        load->is_read ? pread(fd, buffer, load->size, at) : pwrite(fd, buffer, load->size, at);

    if (done != (ssize_t)load->size)
        give_up(load->is_read ? "read" : "write");
    if (load->sync && load->sync(fd) != 0)
        give_up("sync");
}

static void *run_part(void *argument)
{
    struct part *part = argument;
    const struct load *load = part->load;
    uint8_t *buffer = aligned_alloc(4096, SIZE_MAX_BYTES);
    int fd = open_file(load, part->number);
    uint32_t per_file = FILE_BYTES / load->size;

    if (!buffer)
        give_up("memory");
    memset(buffer, (int)part->number + 1, load->size);
    for (uint32_t index = 0; index < load->count; index++) {
        off_t at = (off_t)(index % per_file) * load->size;
        double before = now_us();

        one_call(load, fd, buffer, at);
        part->took_us[index] = now_us() - before;
    }
    (void)close(fd);
    free(buffer);
    return NULL;
}

/* The files are whole before anything is timed: their regions are noted, their pages cached. */
static void fill_file(const struct load *load, uint32_t number)
{
    uint8_t *block = calloc(1, SIZE_MAX_BYTES);
    int fd = open_file(load, number);

    if (!block)
        give_up("memory");
    for (off_t at = 0; at < FILE_BYTES; at += SIZE_MAX_BYTES) {
        if (load->is_read && pread(fd, block, SIZE_MAX_BYTES, at) == SIZE_MAX_BYTES)
            continue;
        if (pwrite(fd, block, SIZE_MAX_BYTES, at) != SIZE_MAX_BYTES)
            give_up("fill");
    }
    (void)close(fd);
    free(block);
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return (difference > 0) - (difference < 0);
}

static void report(double *took_us, uint32_t count, double elapsed_us)
{
    double sum = 0;

    qsort(took_us, count, sizeof(*took_us), compare);
    for (uint32_t index = 0; index < count; index++)
        sum += took_us[index];
    printf("{\"median_us\": %.2f, \"p99_us\": %.2f, \"mean_us\": %.2f, \"per_s\": %.0f}\n",
           took_us[count / 2], took_us[count - 1 - count / 100], sum / count,
           (double)count * 1e6 / elapsed_us);
}

static int run(const struct load *load)
{
    struct part parts[THREADS_MAX];
    double *took_us = calloc((size_t)load->thread_count * load->count, sizeof(*took_us));
    double start_us = 0;

    if (!took_us)
        give_up("memory");
    for (uint32_t index = 0; index < load->thread_count; index++)
        fill_file(load, index);
    start_us = now_us();
    for (uint32_t index = 0; index < load->thread_count; index++) {
        parts[index] = (struct part){
            .load = load, .number = index, .took_us = took_us + (size_t)index * load->count};
        errno = pthread_create(&parts[index].thread, NULL, run_part, &parts[index]);
        if (errno != 0)
            give_up("thread");
    }
    for (uint32_t index = 0; index < load->thread_count; index++)
        (void)pthread_join(parts[index].thread, NULL);
    report(took_us, load->thread_count * load->count, now_us() - start_us);
    free(took_us);
    return 0;
}

static int no_such_load(void)
{
    (void)fprintf(stderr, "see the head of bench/native/load.c\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct load load = {0};

    if (argc != 7)
        return no_such_load();
    load.is_read = strcmp(argv[1], "read") == 0;
    load.path = argv[2];
    load.count = (uint32_t)strtoul(argv[3], NULL, 10);
    load.size = (uint32_t)strtoul(argv[4], NULL, 10);
    load.thread_count = (uint32_t)strtoul(argv[5], NULL, 10);
    if (strcmp(argv[6], "fsync") == 0)
        load.sync = fsync;
    else if (strcmp(argv[6], "fdatasync") == 0)
        load.sync = fdatasync;
    if (load.count == 0 || load.count > COUNT_MAX || load.size == 0 ||
        load.size > SIZE_MAX_BYTES || load.thread_count == 0 || load.thread_count > THREADS_MAX)
        return no_such_load();
    return run(&load);
}
