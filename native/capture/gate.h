/* The gate every change passes (design 9): open, frozen (changes are parked) or closed (ESTALE);
 * and the epochs that checkpoints count by (design 8). A change is inside from mn_gate_enter to
 * mn_gate_leave; whoever turns the gate can wait until nobody is inside. */
#ifndef MN_CAPTURE_GATE_H
#define MN_CAPTURE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum mn_gate_state { MN_GATE_CLOSED = 0, MN_GATE_FROZEN = 1, MN_GATE_OPEN = 2 };

/* How a change that is let in is made durable elsewhere. Turned only while the gate is not open
 * and nobody is inside. */
enum mn_gate_mode {
    MN_MODE_ALONE = 1,    /* noted in the dirty index first */
    MN_MODE_MIRRORED = 2, /* the secondary first */
};

enum { MN_PARK = 2 }; /* frozen: keep the request, give the thread back (design 5) */

struct mn_gate {
    pthread_mutex_t mutex;
    pthread_cond_t left;
    uint8_t state;         /* guarded by mutex */
    bool shut;             /* closed for good; guarded by mutex */
    uint8_t mode;          /* guarded by mutex */
    uint64_t epoch;        /* guarded by mutex */
    uint32_t inside[2];    /* by parity of the epoch; guarded by mutex */
    uint64_t change_count; /* guarded by mutex */
};

void mn_gate_init(struct mn_gate *gate);
void mn_gate_deinit(struct mn_gate *gate);

/* Returns 0, MN_PARK, or -ESTALE. */
int mn_gate_enter(struct mn_gate *gate, uint64_t *epoch_out, uint8_t *mode_out);
/* For what tells of changes that were made before: a closed gate lets it in. 0, or MN_PARK. */
int mn_gate_enter_after(struct mn_gate *gate, uint64_t *epoch_out, uint8_t *mode_out);
void mn_gate_leave(struct mn_gate *gate, uint64_t epoch);
/* A gate that was shut stays closed: whoever froze it may come to open it late. */
void mn_gate_turn(struct mn_gate *gate, uint8_t state);
/* Closes it for good: this node has no authority any more, or leaves. */
void mn_gate_shut(struct mn_gate *gate);
bool mn_gate_is_shut(struct mn_gate *gate);
uint8_t mn_gate_state(struct mn_gate *gate);
uint8_t mn_gate_mode(struct mn_gate *gate);
/* Freezes if it was open; true when it did. */
bool mn_gate_freeze(struct mn_gate *gate);
/* Waits until nobody is inside. -ETIMEDOUT. */
int mn_gate_drain(struct mn_gate *gate, uint32_t timeout_ms);
void mn_gate_set_mode(struct mn_gate *gate, uint8_t mode);
/* Nobody is inside: epochs go on from here, unless they are further already. */
void mn_gate_epochs_from(struct mn_gate *gate, uint64_t epoch);
/* Opens the next epoch and waits until the last change of the one before has left. */
int mn_gate_close_epoch(struct mn_gate *gate, uint32_t timeout_ms, uint64_t *closed_out);

#endif
