/*
 * Runs one fuzz target for a bounded time, without clang's fuzzer: each file of the corpus as it
 * is, then inputs made from them by a seeded generator. The same seed gives the same inputs.
 *
 *     fuzz_frame SEED RUNS WORST_FILE [CORPUS_FILE...]
 *
 * When an input kills the target (sanitizer, assertion, or more than TIMEOUT_S seconds of
 * processor time: a machine that does other work is no endless loop) it lies in WORST_FILE: keep
 * it in the corpus with the fix.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    INPUT_BYTES_MAX = 65536,
    CORPUS_COUNT_MAX = 4096,
    CHANGES_MAX = 8,
    TIMEOUT_S = 10,
};

struct input {
    uint8_t *bytes; /* owned by main, freed at its end */
    size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void));

/* What is being run, for the handlers of its death. Written by the only thread. */
static const uint8_t *current_bytes;
static size_t current_size;
static const char *worst_path;
static uint64_t random_state;

static void keep_current(void)
{
    int fd = open(worst_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd >= 0) {
        (void)!write(fd, current_bytes, current_size);
        (void)close(fd);
    }
}

static void on_signal(int number)
{
    keep_current();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* splitmix64: small, and the same everywhere. */
static uint64_t random_next(void)
{
    uint64_t value = (random_state += 0x9e3779b97f4a7c15U);

    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

static size_t random_below(size_t limit)
{
    return limit == 0 ? 0 : (size_t)(random_next() % limit);
}

/* Lengths and counts break parsers at their edges more often than in the middle. */
static void put_edge_number(uint8_t *bytes, size_t size)
{
    static const uint64_t edges[] = {0,          1,          0x7f,       0x80,
                                     0xff,       0x7fff,     0x8000,     0xffff,
                                     0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX};
    static const size_t widths[] = {1, 2, 4, 8};
    uint64_t value = edges[random_below(sizeof(edges) / sizeof(edges[0]))];
    size_t width = widths[random_below(sizeof(widths) / sizeof(widths[0]))];

    if (size >= width) {
        memcpy(bytes + random_below(size - width + 1), &value, width);
    }
}

static size_t cut_out(uint8_t *bytes, size_t size)
{
    size_t from = random_below(size);
    size_t count = random_below(size - from) + 1;

    memmove(bytes + from, bytes + from + count, size - from - count);
    return size - count;
}

static size_t put_in(uint8_t *bytes, size_t size, const struct input *other)
{
    size_t from = random_below(other->size);
    size_t count = random_below(other->size - from) + 1;
    size_t at = random_below(size + 1);

    if (other->size == 0 || size + count > INPUT_BYTES_MAX) {
        return size;
    }
    memmove(bytes + at + count, bytes + at, size - at);
    memcpy(bytes + at, other->bytes + from, count);
    return size + count;
}

/* Change `bytes` a few times; `other` is a second input to take pieces from. */
static size_t mutate(uint8_t *bytes, size_t size, const struct input *other)
{
    size_t changes = random_below(CHANGES_MAX) + 1;

    for (size_t change = 0; change < changes; change++) {
        switch (random_below(5)) {
        case 0:
            if (size > 0) {
                bytes[random_below(size)] ^= (uint8_t)(1U << random_below(8));
            }
            break;
        case 1:
            if (size > 0) {
                bytes[random_below(size)] = (uint8_t)random_next();
            }
            break;
        case 2: put_edge_number(bytes, size); break;
        case 3:
            if (size > 0) {
                size = cut_out(bytes, size);
            }
            break;
        default: size = put_in(bytes, size, other); break;
        }
    }
    return size;
}

static void set_limit(time_t seconds)
{
    struct itimerval limit = {.it_value.tv_sec = seconds};

    (void)setitimer(ITIMER_PROF, &limit, NULL);
}

/* The target gets a block of exactly this size, so that ASan sees one byte too far. */
static void run_once(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);

    if (exact == NULL) {
        abort();
    }
    memcpy(exact, bytes, size);
    current_bytes = bytes;
    current_size = size;
    set_limit(TIMEOUT_S);
    (void)LLVMFuzzerTestOneInput(exact, size);
    set_limit(0);
    free(exact);
}

static void load(const char *path, struct input *input_out)
{
    FILE *file = fopen(path, "rbe");

    input_out->bytes = malloc(INPUT_BYTES_MAX);
    if (file == NULL || input_out->bytes == NULL) {
        (void)fprintf(stderr, "cannot read the corpus file %s\n", path);
        exit(2);
    }
    input_out->size = fread(input_out->bytes, 1, INPUT_BYTES_MAX, file);
    (void)fclose(file);
}

static void run_mutations(const struct input *corpus, size_t corpus_count, uint64_t run_count)
{
    static uint8_t bytes[INPUT_BYTES_MAX];

    for (uint64_t run = 0; run < run_count; run++) {
        const struct input *base = &corpus[random_below(corpus_count)];
        const struct input *other = &corpus[random_below(corpus_count)];
        size_t size = base->size;

        /* One input in 16 is noise: what no well-formed seed leads to. */
        if (random_below(16) == 0) {
            size = random_below(512);
            for (size_t offset = 0; offset < size; offset++) {
                bytes[offset] = (uint8_t)random_next();
            }
        } else {
            memcpy(bytes, base->bytes, size);
        }
        run_once(bytes, mutate(bytes, size, other));
    }
}

int main(int argument_count, char **arguments)
{
    static struct input corpus[CORPUS_COUNT_MAX + 1];
    size_t corpus_count = 0;

    if (argument_count < 4 || argument_count - 4 > CORPUS_COUNT_MAX) {
        (void)fprintf(stderr, "usage: %s SEED RUNS WORST_FILE [CORPUS_FILE...]\n", arguments[0]);
        return 2;
    }
    random_state = strtoull(arguments[1], NULL, 10);
    worst_path = arguments[3];
    __sanitizer_set_death_callback(keep_current);
    (void)signal(SIGABRT, on_signal);
    (void)signal(SIGPROF, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);

    for (int at = 4; at < argument_count; at++) {
        load(arguments[at], &corpus[corpus_count]);
        run_once(corpus[corpus_count].bytes, corpus[corpus_count].size);
        corpus_count++;
    }
    /* The empty input is always in the corpus, and the list is never empty. */
    corpus[corpus_count].bytes = malloc(1);
    run_once(corpus[corpus_count].bytes, 0);
    corpus_count++;
    run_mutations(corpus, corpus_count, strtoull(arguments[2], NULL, 10));
    for (size_t at = 0; at < corpus_count; at++) {
        free(corpus[at].bytes);
    }
    return 0;
}
