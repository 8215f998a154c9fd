/* See golden.h. */
#include "golden.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

enum { LINE_BYTES = 65536, DIRECTORIES_UP = 5 }; /* build/native/VARIANT/tests/PROGRAM */

FILE *golden_open(const char *name)
{
    char path[PATH_MAX + 256];
    char program[PATH_MAX] = {0};
    const char *directory = getenv("MIRROR_GOLDEN_WIRE");
    FILE *file = NULL;

    CHECK(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
    for (int level = 0; level < DIRECTORIES_UP; level++) {
        char *slash = strrchr(program, '/');

        if (slash)
            *slash = '\0';
    }
    if (directory)
        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    else
        (void)snprintf(path, sizeof(path), "%s/tests/golden/wire/%s", program, name);
    file = fopen(path, "re");
    if (!file)
        perror(path);
    CHECK(file != NULL);
    return file;
}

char *golden_line(FILE *file)
{
    static char line[LINE_BYTES];

    if (!fgets(line, sizeof(line), file))
        return NULL;
    CHECK(strchr(line, '\n') != NULL);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

char *golden_word(char **line)
{
    return strsep(line, " ");
}

static unsigned nibble(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = strchr(digits, digit);

    CHECK(found != NULL && digit != '\0');
    return (unsigned)(found - digits);
}

size_t golden_bytes(const char *hex, uint8_t *bytes, size_t size_max)
{
    size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

    CHECK(size <= size_max);
    for (size_t index = 0; index < size; index++)
        bytes[index] = (uint8_t)(nibble(hex[2 * index]) << 4 | nibble(hex[2 * index + 1]));
    return size;
}
