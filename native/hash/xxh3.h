/* The one place that includes xxhash.h: inlined, so that no symbol of it leaves a file and no
 * shared library is needed. Knows nothing of ours. */
#ifndef MN_HASH_XXH3_H
#define MN_HASH_XXH3_H

#define XXH_INLINE_ALL
/* Its casts are its own matter. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <xxhash.h>
#pragma GCC diagnostic pop

#endif
