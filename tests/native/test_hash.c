/* Hashes of blocks: the same as Python's, and blocks of zeros are found. */
#include "check.h"
#include "golden.h"
#include "hash/hash.h"

enum { BLOCK_BYTES_MAX = 70000 };

static uint8_t block[BLOCK_BYTES_MAX];

static void fill(size_t size)
{
    for (size_t index = 0; index < size; index++)
        block[index] = (uint8_t)(index * 7 + index / 251 + size);
}

static void test_golden(void)
{
    FILE *file = golden_open("hashes.txt");
    char *line = NULL;
    int count = 0;

    RUN("the hashes that Python computes");
    while ((line = golden_line(file)) != NULL) {
        size_t size = strtoul(golden_word(&line), NULL, 10);
        uint8_t expected[MN_HASH_BYTES];
        uint8_t observed[MN_HASH_BYTES];

        CHECK(size <= BLOCK_BYTES_MAX);
        CHECK_INT(golden_bytes(golden_word(&line), expected, sizeof(expected)), MN_HASH_BYTES);
        fill(size);
        mn_hash_block(block, size, observed);
        CHECK_BYTES(observed, expected, MN_HASH_BYTES);
        CHECK(mn_hash_64(block, size) == strtoull(line, NULL, 16));
        count++;
    }
    CHECK(count >= 16);
    CHECK_INT(fclose(file), 0);
}

static void test_zero(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 31, 33, 4096, 65537};

    RUN("a block of zeros, and one byte that is not, anywhere");
    memset(block, 0, sizeof(block));
    for (size_t index = 0; index < sizeof(sizes) / sizeof(sizes[0]); index++) {
        size_t size = sizes[index];
        uint8_t *exact = malloc(size + 1); /* the sanitizer sees a read beyond */
        size_t step = size > 1000 ? 61 : 1;

        CHECK(exact != NULL);
        memset(exact, 0, size + 1);
        exact[size] = 1;
        CHECK_INT(mn_hash_is_zero(exact, size), 1);
        for (size_t offset = 0; offset < size; offset += step) {
            exact[offset] = 0x80;
            CHECK_INT(mn_hash_is_zero(exact, size), 0);
            exact[offset] = 0;
        }
        if (size > 0) {
            exact[size - 1] = 1;
            CHECK_INT(mn_hash_is_zero(exact, size), 0);
        }
        free(exact);
    }
    RUN("a block of one other byte is not zero");
    memset(block, 7, sizeof(block));
    CHECK_INT(mn_hash_is_zero(block, sizeof(block)), 0);
    RUN("no block at all");
    CHECK_INT(mn_hash_is_zero(NULL, 0), 1);
}

int main(void)
{
    test_golden();
    test_zero();
    return 0;
}
