/* What the tests of the dirty index note, and how they read it. */
#ifndef MIRROR_TESTS_INDEX_NOTES_H
#define MIRROR_TESTS_INDEX_NOTES_H

#include "journal/index.h"

/* An object of root 2, with a hint and a handle; every other one has its parent's handle too. */
struct mn_ref index_object(uint32_t number);
/* Notes one place of it; `name` of NAME, else NULL. */
int index_note(struct mn_index *index, uint32_t object, uint8_t kind, uint64_t region,
               const char *name);
/* The first entries, as many as there is room for. Returns their count. */
uint32_t index_read(struct mn_index *index, struct mn_index_entry *entries, uint32_t room);

#endif
