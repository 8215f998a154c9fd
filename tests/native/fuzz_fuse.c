/* Any bytes as a request of the kernel: parsed or refused, and never read beyond their end. */
#include <stdlib.h>

#include "check.h"
#include "fuse/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const uint8_t *data, size_t size)
{
    /* An exact copy, so that ASan sees one byte too many. */
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    struct mn_fuse_request request;

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    if (mn_fuse_parse(copy, size, &request) == 0) {
        size_t offset = 0;
        size_t texts = 0;
        const char *text;

        CHECK(request.body_size == size - sizeof(struct fuse_in_header));
        while ((text = mn_fuse_text(&request, &offset)) != NULL) {
            CHECK(strlen(text) < request.body_size);
            CHECK(++texts <= request.body_size);
        }
        for (size_t fixed = 0; fixed < 64; fixed += 8)
            CHECK((mn_fuse_fixed(&request, fixed) != NULL) == (fixed <= request.body_size));
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(data, size);
    if (size >=
        sizeof(struct fuse_in_header)) { /* and with the length that the kernel would say */
        uint8_t *fixed = malloc(size);
        uint32_t length = (uint32_t)size;

        CHECK(fixed != NULL);
        memcpy(fixed, data, size);
        memcpy(fixed, &length, sizeof(length));
        walk(fixed, size);
        free(fixed);
    }
    return 0;
}
