/* The host name that a module's application sees (<vhost>), loaded into it by LD_PRELOAD.
 *
 * A library of its own, in no archive: it replaces functions of the C library and knows nothing
 * of mirror. It must never fail where the C library would not, allocate, or print.
 * Programs that ask the kernel themselves (static, Go) and set-user-id programs do not see it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char VARIABLE[] = "MIRROR_VIRTUAL_HOSTNAME";

/* Returns the virtual name, or NULL when there is none; at most what uname(2) can hold. */
static const char *virtual_name(size_t *size_bytes_out)
{
    const struct utsname *shape = NULL;
    const char *name = secure_getenv(VARIABLE);

    if (name == NULL || name[0] == '\0')
        return NULL;
    *size_bytes_out = strnlen(name, sizeof(shape->nodename) - 1);
    return name;
}

/* As uname(2), with the virtual name as nodename. */
int uname(struct utsname *name)
{
    size_t size_bytes = 0;
    const char *shown = virtual_name(&size_bytes);

    if (syscall(SYS_uname, name) != 0)
        return -1;
    if (shown != NULL) {
        memset(name->nodename, 0, sizeof(name->nodename));
        memcpy(name->nodename, shown, size_bytes);
    }
    return 0;
}

/* As gethostname(2) of glibc: a buffer too small is filled, and answered by ENAMETOOLONG. */
int gethostname(char *name, size_t size_bytes)
{
    struct utsname held;
    size_t length_bytes;

    if (uname(&held) != 0)
        return -1;
    length_bytes = strlen(held.nodename) + 1;
    memcpy(name, held.nodename, length_bytes < size_bytes ? length_bytes : size_bytes);
    if (length_bytes > size_bytes) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

/* What a program calls instead that was compiled with _FORTIFY_SOURCE and asks for a number of
 * bytes that it computes. */
int __gethostname_chk(char *name, size_t size_bytes, size_t room_bytes);
int __gethostname_chk(char *name, size_t size_bytes, size_t room_bytes)
{
    if (size_bytes > room_bytes)
        abort(); /* as the C library does */
    return gethostname(name, size_bytes);
}
