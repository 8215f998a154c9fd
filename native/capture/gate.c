#include "capture/gate.h"

#include <errno.h>
#include <string.h>
#include <time.h>

void mn_gate_init(struct mn_gate *gate)
{
    pthread_condattr_t attributes;

    memset(gate, 0, sizeof(*gate));
    gate->epoch = 1;
    gate->mode = MN_MODE_ALONE;
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes,
                              CLOCK_MONOTONIC); /* a clock that jumps must not end a wait */
    pthread_cond_init(&gate->left, &attributes);
    pthread_condattr_destroy(&attributes);
}

void mn_gate_deinit(struct mn_gate *gate)
{
    pthread_cond_destroy(&gate->left);
    pthread_mutex_destroy(&gate->mutex);
}

static int enter(struct mn_gate *gate, bool when_closed, uint64_t *epoch_out, uint8_t *mode_out)
{
    int result = 0;

    pthread_mutex_lock(&gate->mutex);
    if (gate->state == MN_GATE_CLOSED && !when_closed) {
        result = -ESTALE; /* never a false success once authority is lost (design 9) */
    } else if (gate->state == MN_GATE_FROZEN) {
        result = MN_PARK;
    } else {
        *epoch_out = gate->epoch;
        *mode_out = gate->mode;
        gate->inside[gate->epoch & 1]++;
        gate->change_count++;
    }
    pthread_mutex_unlock(&gate->mutex);
    return result;
}

int mn_gate_enter(struct mn_gate *gate, uint64_t *epoch_out, uint8_t *mode_out)
{
    return enter(gate, false, epoch_out, mode_out);
}

int mn_gate_enter_after(struct mn_gate *gate, uint64_t *epoch_out, uint8_t *mode_out)
{
    return enter(gate, true, epoch_out, mode_out);
}

void mn_gate_leave(struct mn_gate *gate, uint64_t epoch)
{
    pthread_mutex_lock(&gate->mutex);
    if (--gate->inside[epoch & 1] == 0)
        pthread_cond_broadcast(&gate->left);
    pthread_mutex_unlock(&gate->mutex);
}

void mn_gate_turn(struct mn_gate *gate, uint8_t state)
{
    pthread_mutex_lock(&gate->mutex);
    if (!gate->shut)
        gate->state = state;
    pthread_mutex_unlock(&gate->mutex);
}

void mn_gate_shut(struct mn_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->state = MN_GATE_CLOSED;
    gate->shut = true;
    pthread_mutex_unlock(&gate->mutex);
}

bool mn_gate_is_shut(struct mn_gate *gate)
{
    bool shut;

    pthread_mutex_lock(&gate->mutex);
    shut = gate->shut;
    pthread_mutex_unlock(&gate->mutex);
    return shut;
}

uint8_t mn_gate_state(struct mn_gate *gate)
{
    uint8_t state;

    pthread_mutex_lock(&gate->mutex);
    state = gate->state;
    pthread_mutex_unlock(&gate->mutex);
    return state;
}

uint8_t mn_gate_mode(struct mn_gate *gate)
{
    uint8_t mode;

    pthread_mutex_lock(&gate->mutex);
    mode = gate->mode;
    pthread_mutex_unlock(&gate->mutex);
    return mode;
}

bool mn_gate_freeze(struct mn_gate *gate)
{
    bool froze;

    pthread_mutex_lock(&gate->mutex);
    froze = gate->state == MN_GATE_OPEN;
    if (froze)
        gate->state = MN_GATE_FROZEN;
    pthread_mutex_unlock(&gate->mutex);
    return froze;
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    return deadline;
}

int mn_gate_drain(struct mn_gate *gate, uint32_t timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    int result = 0;

    pthread_mutex_lock(&gate->mutex);
    while (gate->inside[0] + gate->inside[1] > 0 && result == 0)
        result = pthread_cond_timedwait(&gate->left, &gate->mutex, &deadline);
    pthread_mutex_unlock(&gate->mutex);
    return -result;
}

void mn_gate_set_mode(struct mn_gate *gate, uint8_t mode)
{
    pthread_mutex_lock(&gate->mutex);
    gate->mode = mode;
    pthread_mutex_unlock(&gate->mutex);
}

void mn_gate_epochs_from(struct mn_gate *gate, uint64_t epoch)
{
    pthread_mutex_lock(&gate->mutex);
    if (gate->epoch < epoch)
        gate->epoch = epoch;
    pthread_mutex_unlock(&gate->mutex);
}

int mn_gate_close_epoch(struct mn_gate *gate, uint32_t timeout_ms, uint64_t *closed_out)
{
    struct timespec deadline = deadline_after(timeout_ms);
    uint64_t closed;
    int result = 0;

    pthread_mutex_lock(&gate->mutex);
    /* The epoch before this one must be empty, or the parities would mix. */
    while (gate->inside[(gate->epoch + 1) & 1] > 0 && result == 0)
        result = pthread_cond_timedwait(&gate->left, &gate->mutex, &deadline);
    if (result != 0)
        goto out;
    closed = gate->epoch++;
    while (gate->inside[closed & 1] > 0 && result == 0)
        result = pthread_cond_timedwait(&gate->left, &gate->mutex, &deadline);
    *closed_out = closed;
out:
    pthread_mutex_unlock(&gate->mutex);
    return -result;
}
