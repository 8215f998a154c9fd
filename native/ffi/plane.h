/* What stands behind Python's struct mn_plane. No logic: the parts of one module in one place. */
#ifndef MN_FFI_PLANE_H
#define MN_FFI_PLANE_H

#include "apply/apply.h"
#include "capture/capture.h"
#include "journal/index.h"
#include "journal/recent.h"
#include "lower/lower.h"

struct mn_plane {
    struct mn_root roots[MN_ROOTS_MAX];
    uint32_t root_count;
    struct mn_recent *recent;
    struct mn_index *index;
    struct mn_apply *apply;     /* made by the first session as secondary */
    struct mn_capture *capture; /* made by the first service as primary */
};

#endif
